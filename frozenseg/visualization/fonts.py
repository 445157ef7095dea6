"""System fonts: their files in order of preference, and the glyphs that they have.

Pillow draws with one font at a time and does not replace missing glyphs, so a text in several scripts needs several
fonts. :func:`installed_fonts` lists the usable fonts of the system in the order of preference.
"""

import functools
import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image, ImageDraw, ImageFont

from frozenseg.log import get_logger

logger = get_logger(__name__)

# File names without extension, lower case. The first family for Latin letters sets the look of all drawings.
LATIN = ("notosans-regular", "dejavusans", "liberationsans-regular", "segoeui", "arial", "helveticaneue", "helvetica")
SCRIPTS = (
    *("notosanscjk-regular", "notosanscjksc-regular", "notosanssc-regular", "sourcehansanssc-regular", "pingfang"),
    *("hiragino sans gb", "applesdgothicneo", "msyh", "yugothm", "meiryo", "malgun", "wqy-zenhei", "wqy-microhei"),
    *("droidsansfallbackfull", "notonaskharabic-regular", "notosansarabic-regular", "amiri-regular", "geezapro"),
    *("nirmala", "leelawui", "arial unicode", "freesans", "unifont"),
)
EMOJI = ("notocoloremoji", "apple color emoji", "seguiemj", "notoemoji-regular", "symbola")
EXTENSIONS = (".ttf", ".otf", ".ttc")
STRIKES = (109, 160, 128, 136, 96, 64)  # sizes at which bitmap fonts are drawn, pixels
_PROBE_SIZE = 20  # pixels, at which glyphs are compared
NONCHARACTER = "\uffff"  # no font has it, so it is drawn as a font's "missing glyph"
FIRST_EMOJI = 0x1F000  # code points from here on are symbols, for which a colour font is preferred


class Font(NamedTuple):
    """A font of the system.

    Attributes:
        path: file; empty for the font that is part of Pillow.
        is_emoji: True if it is preferred for emoji.
    """

    path: str
    is_emoji: bool = False

    def has(self, character: str) -> bool:
        """Return True if the font draws something for a character other than its "missing glyph"."""
        return _glyph(self, character) not in (_glyph(self, NONCHARACTER), b"")


class SizedFont(NamedTuple):
    """A font that Pillow can draw with.

    Attributes:
        face: Pillow's font.
        scale: factor from drawn to requested pixels; not 1 for bitmap fonts, which have few sizes.
    """

    face: ImageFont.FreeTypeFont
    scale: float


@functools.cache
def installed_fonts() -> tuple[Font, ...]:
    """Return the fonts that drawings use, in the order in which they are tried.

    First a font for Latin letters, then Pillow's own, which is always there, then those of other scripts, then emoji.
    """
    files: dict[str, str] = {}
    for path in _font_files(font_folders()):
        files.setdefault(path.stem.lower(), str(path))
    others = [name for name in sorted(files) if name.startswith("notosans") and name.endswith("-regular")]
    latin = [Font(files[name]) for name in LATIN if name in files][:1]
    scripts = [Font(files[name]) for name in dict.fromkeys((*SCRIPTS, *LATIN, *others)) if name in files]
    emoji = [Font(files[name], is_emoji=True) for name in EMOJI if name in files]
    fonts = dict.fromkeys((*latin, Font(""), *scripts, *emoji))
    return tuple(font for font in fonts if _can_be_opened(font))


def font_folders() -> list[Path]:
    """Return the folders in which this operating system keeps fonts, those of the user first."""
    home = Path.home()
    if sys.platform == "win32":
        local, system = os.environ.get("LOCALAPPDATA", ""), os.environ.get("WINDIR", r"C:\Windows")
        return [Path(local, "Microsoft/Windows/Fonts"), Path(system, "Fonts")]
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    return [home / ".local/share/fonts", home / ".fonts", Path("/usr/local/share/fonts"), Path("/usr/share/fonts")]


@functools.lru_cache(maxsize=256)
def sized_font(font: Font, size: int) -> SizedFont:
    """Open a font for letters of a size (pixels per em).

    Raises:
        OSError: the file is no font that FreeType reads.
    """
    if not font.path:
        bundled = ImageFont.load_default(size)
        if isinstance(bundled, ImageFont.FreeTypeFont):
            return SizedFont(bundled, 1.0)
        raise OSError("Pillow was built without FreeType, which text in drawings needs: install Pillow from PyPI.")
    try:  # not ImageFont.truetype, which looks for other files of the same name
        return SizedFont(ImageFont.FreeTypeFont(font.path, size), 1.0)
    except OSError:
        for strike in STRIKES:
            try:
                return SizedFont(ImageFont.FreeTypeFont(font.path, strike), size / strike)
            except OSError:
                continue
        raise


def _font_files(folders: Iterable[Path]) -> Iterator[Path]:
    for folder in folders:
        for directory, _, names in sorted(os.walk(folder)):
            yield from (Path(directory, name) for name in sorted(names) if name.lower().endswith(EXTENSIONS))


def _can_be_opened(font: Font) -> bool:
    try:
        sized_font(font, _PROBE_SIZE)
    except OSError as error:
        if not font.path:
            raise
        logger.debug("Font %s is not used: %s", font.path, error)
        return False
    return True


@functools.lru_cache(maxsize=1 << 16)
def _glyph(font: Font, character: str) -> bytes:
    """Return the pixels that a font draws for a character; empty if there are none."""
    face = sized_font(font, _PROBE_SIZE).face
    side = round(2 * face.size)
    drawn = Image.new("RGBA", (side, side))
    ImageDraw.Draw(drawn).text((side / 4, side / 4), character, font=face, embedded_color=True)
    return drawn.tobytes() if drawn.getbbox() else b""
