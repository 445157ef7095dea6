"""Text on images in any script: each part in a font that has its letters.

Letters are placed by the pixel: to the right of a position, or about it, and vertically about a middle line, so that
names and swatches of colour line up whatever the script. Characters that no font of the system has are written as
their code points, ``[U+732B]``, so that names stay different.
"""

import functools
import itertools
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

from PIL import Image, ImageDraw, features

from frozenseg.log import get_logger
from frozenseg.structures.palette import Colour
from frozenseg.visualization.fonts import FIRST_EMOJI, Font, SizedFont, installed_fonts, sized_font

logger = get_logger(__name__)
DARK: Colour = (40, 40, 40)
WHITE: Colour = (255, 255, 255)
RIM: Colour = (20, 20, 20)
BASELINE = 0.36  # of the size, below the middle of a capital letter
RIM_SHARE = 1 / 14  # of the size: width of the rim around a label
JOINER = "\u200d"  # makes one emoji of two
EMOJI_STYLE = "\ufe0f"  # selects the coloured form of the character before it
ELLIPSIS = "…"
MAX_CHARACTERS = 1000  # of a line of text


class Run(NamedTuple):
    """Characters that are drawn with one font."""

    text: str
    font: Font


def text_width(text: str, size: int) -> float:
    """Return the width of a line of text in pixels, for letters of ``size`` pixels per em."""
    return sum(_run_width(run, size) for run in split_runs(text))


def shorten(text: str, size: int, width: float) -> str:
    """Return the text, with an ellipsis in place of an end that does not fit into ``width`` pixels."""
    if text_width(text, size) <= width:
        return text
    clusters = list(_clusters(text[:MAX_CHARACTERS]))
    fitting, longest = 0, len(clusters) - 1
    while fitting < longest:  # binary search of the number of clusters
        middle = (fitting + longest + 1) // 2
        fits = text_width("".join(clusters[:middle]).rstrip() + ELLIPSIS, size) <= width
        fitting, longest = (middle, longest) if fits else (fitting, middle - 1)
    return "".join(clusters[:fitting]).rstrip() + ELLIPSIS


def write(image: Image.Image, text: str, left: float, middle: float, size: int, colour: Colour = DARK) -> None:
    """Write a line of text onto an image, to the right of ``left`` and vertically about ``middle``.

    Args:
        image: (W, H) RGB, changed.
        text: one line.
        left: pixels.
        middle: pixels.
        size: of the letters, pixels per em.
        colour: of the letters; emoji have their own colours.
    """
    _write_runs(image, text, left, middle, size, colour, rim=0)


def write_label(image: Image.Image, text: str, centre: float, middle: float, size: int) -> None:
    """Write a line of text centred on a point, white with a dark rim, so that it can be read on any image.

    Args:
        image: (W, H) RGB, changed.
        text: one line.
        centre: x of the point, pixels.
        middle: y of the point, pixels.
        size: of the letters, pixels per em.
    """
    rim = max(1, round(RIM_SHARE * size))
    _write_runs(image, text, centre - text_width(text, size) / 2, middle, size, WHITE, rim)


@functools.lru_cache(maxsize=4096)
def split_runs(text: str) -> tuple[Run, ...]:
    """Cut a line of text into runs, each in the first font that has its characters.

    White space stays in the run before it, so that a sentence of a right-to-left script is ordered as a whole. A
    text of more than ``MAX_CHARACTERS`` is cut, and halves of surrogate pairs are drawn as unknown characters.
    """
    if len(text) > MAX_CHARACTERS:
        text = text[: MAX_CHARACTERS - 1] + ELLIPSIS
    text = " ".join(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").split())
    runs: list[Run] = []
    for font, clusters in itertools.groupby(_with_fonts(text), key=lambda pair: pair[0]):
        characters = "".join(cluster for _, cluster in clusters)
        if font is None:
            _report_missing(_script(characters[0]))
            code_points = " ".join(f"U+{ord(character):04X}" for character in characters)
            runs.append(Run(f"[{code_points}]", installed_fonts()[0]))
        else:
            runs.append(Run(characters, font))
    return tuple(runs)


def _with_fonts(text: str) -> Iterator[tuple[Font | None, str]]:
    """Yield the clusters of a text with their fonts, None where no font has one."""
    font: Font | None = None
    for cluster in _clusters(text):
        if not (cluster.isspace() and font is not None and not font.is_emoji):
            font = _font_for(cluster)
        yield font, cluster


def _clusters(text: str) -> Iterator[str]:
    """Yield characters together with the marks, joiners and modifiers that follow them."""
    cluster = ""
    for character in text:
        if cluster and (_continues(character) or cluster.endswith(JOINER)):
            cluster += character
        else:
            if cluster:
                yield cluster
            cluster = character
    if cluster:
        yield cluster


def _continues(character: str) -> bool:
    """Return True for combining marks, joiners, variation selectors and skin tones."""
    return unicodedata.category(character) in ("Mn", "Mc", "Me", "Cf") or "\U0001f3fb" <= character <= "\U0001f3ff"


def _font_for(cluster: str) -> Font | None:
    """Return the first font that has all visible characters of a cluster; None if there is none."""
    fonts = installed_fonts()
    if ord(cluster[0]) >= FIRST_EMOJI or EMOJI_STYLE in cluster:
        fonts = tuple(sorted(fonts, key=lambda font: not font.is_emoji))  # stable: the colour fonts first
    visible = [character for character in cluster if unicodedata.category(character) not in ("Cf", "Mn", "Zs")]
    return next((font for font in fonts if all(font.has(character) for character in visible)), None)


def _script(character: str) -> str:
    """Return the first word of a character's Unicode name, such as CJK, ARABIC or THAI."""
    return "emoji" if ord(character) >= FIRST_EMOJI else unicodedata.name(character, "unnamed").split()[0]


@functools.cache
def _report_missing(script: str) -> None:
    """Log, once for each script, that no font of the system has it."""
    logger.warning(
        "No installed font has %s characters: their code points are drawn instead. Install a font that has them, "
        "such as one of the Noto fonts.",
        script,
    )


def _write_runs(image: Image.Image, text: str, left: float, middle: float, size: int, colour: Colour, rim: int) -> None:
    pen = ImageDraw.Draw(image)
    for run in split_runs(text):
        sized = sized_font(run.font, size)
        if sized.scale == 1:
            at = (left, middle + BASELINE * size)
            pen.text(
                at, _ordered(run.text), colour, sized.face, anchor="ls", stroke_width=rim, stroke_fill=RIM,
                embedded_color=run.font.is_emoji,
            )  # fmt: skip
        else:
            glyphs = _scaled_glyphs(run, sized)
            image.paste(glyphs, (round(left), round(middle - glyphs.height / 2)), glyphs)
        left += _run_width(run, size)


def _run_width(run: Run, size: int) -> float:
    sized = sized_font(run.font, size)
    return sized.scale * sized.face.getlength(_ordered(run.text))


def _scaled_glyphs(run: Run, sized: SizedFont) -> Image.Image:
    """Return a run of a bitmap font at the requested size, RGBA."""
    left, top, right, bottom = sized.face.getbbox(run.text)
    glyphs = Image.new("RGBA", (max(1, round(right)), max(1, round(bottom - top))), (0, 0, 0, 0))
    ImageDraw.Draw(glyphs).text((0, -top), run.text, font=sized.face, embedded_color=True)
    size = (max(1, round(sized.scale * glyphs.width)), max(1, round(sized.scale * glyphs.height)))
    return glyphs.resize(size, Image.Resampling.LANCZOS)


def _ordered(text: str) -> str:
    """Return a text in the order in which Pillow draws it: only with libraqm does it order right-to-left scripts."""
    if _shapes_text() or unicodedata.bidirectional(text[0]) not in ("R", "AL"):
        return text
    return text[::-1]


@functools.cache
def _shapes_text() -> bool:
    """Return True if Pillow joins letters and orders scripts, which libraqm and FriBiDi do for it."""
    return bool(features.check("raqm") and features.check("fribidi"))
