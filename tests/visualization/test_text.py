"""Letters on images: fonts, scripts, and what happens without them."""

import logging
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.visualization import fonts, text
from frozenseg.visualization.fonts import Font, installed_fonts
from frozenseg.visualization.text import shorten, split_runs, text_width, write, write_label

BUNDLED = Font("")
CACHES = (installed_fonts, split_runs, text._report_missing, text._shapes_text)


def forget() -> None:
    for cached in CACHES:
        cached.cache_clear()


@pytest.fixture
def bare_system(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Leave the font that is part of Pillow alone."""
    monkeypatch.setattr(fonts, "font_folders", list)
    forget()
    yield
    forget()


def ink(image: Image.Image) -> np.ndarray:
    """Return the (row, column) of every dark pixel."""
    return np.argwhere(np.asarray(image.convert("L")) < 128)


def written(content: str, size: int = 20) -> Image.Image:
    image = Image.new("RGB", (400, 60), "white")
    write(image, content, 30, 30, size)
    return image


def test_text_begins_at_its_left_and_is_about_its_middle() -> None:
    rows, columns = ink(written("HEH")).T
    assert columns.min() == pytest.approx(32, abs=2)
    assert columns.max() == pytest.approx(30 + text_width("HEH", 20), abs=3)
    assert (rows.min() + rows.max()) / 2 == pytest.approx(30, abs=1.5)


def test_labels_are_white_in_a_dark_rim_about_their_centre() -> None:
    image = Image.new("RGB", (200, 60), (128, 128, 128))
    write_label(image, "cat", 100, 30, 24)
    pixels = np.asarray(image)
    assert pixels.max() == 255
    assert pixels.min() < 40
    changed = np.flatnonzero((pixels != 128).any(axis=(0, 2)))
    assert (changed[0] + changed[-1]) / 2 == pytest.approx(100, abs=3)


def test_names_are_never_formulas() -> None:
    assert len(ink(written("$\\frac$ _bill")))
    assert text_width("$x$", 16) > text_width("x", 16)


def test_width_grows_with_text_and_size() -> None:
    assert text_width("", 16) == 0
    assert text_width("cat", 16) < text_width("cats", 16) < text_width("cats", 20)


def test_long_text_ends_in_dots() -> None:
    long = "a very long name of a class"
    short = shorten(long, 20, 120)
    assert short.endswith("…")
    assert long.startswith(short[:-1])
    assert 90 < text_width(short, 20) <= 120
    assert shorten("cat", 20, 120) == "cat"
    assert shorten("cat", 20, 1) == "…"


def test_marks_stay_with_their_letters() -> None:
    assert [run.text for run in split_runs("e\u0301a")] == ["e\u0301a"]
    assert list(text._clusters("e\u0301a\U0001f469\u200d\U0001f52c!\U0001f44d\U0001f3fd")) == [
        "e\u0301", "a", "\U0001f469\u200d\U0001f52c", "!", "\U0001f44d\U0001f3fd",
    ]  # fmt: skip


def test_white_space_is_one_blank_and_stays_in_its_run() -> None:
    assert [run.text for run in split_runs("a  cat\n sat")] == ["a cat sat"]


@pytest.mark.parametrize("name", ["猫", "قطة", "кот", "\U0001f431", "cat 猫 قطة \U0001f431"])
def test_every_script_is_drawn_with_the_fonts_of_this_system(name: str) -> None:
    assert len(np.argwhere(np.asarray(written(name)) != 255)) > 0
    runs = split_runs(name)
    assert all(run.font in installed_fonts() for run in runs)


@pytest.mark.usefixtures("bare_system")
def test_missing_characters_are_drawn_as_code_points_and_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    assert installed_fonts() == (BUNDLED,)
    with caplog.at_level(logging.WARNING):
        assert split_runs("cat 猫犬!") == ((("cat ", BUNDLED)), ("[U+732B U+72AC]", BUNDLED), ("!", BUNDLED))
        split_runs("another 猫")
    [record] = caplog.records
    assert "No installed font has CJK characters" in record.message
    assert "Noto" in record.message
    assert text_width("猫", 20) > text_width("U+732B", 20)


@pytest.mark.usefixtures("bare_system")
def test_without_a_shaping_library_right_to_left_text_is_turned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("PIL.features.check", lambda feature: False)
    assert text._ordered("אב") == "בא"
    assert text._ordered("ab") == "ab"


def test_fonts_of_a_folder_are_used_in_order_and_broken_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from PIL import ImageFont

    bundled = ImageFont.load_default(20)
    assert isinstance(bundled, ImageFont.FreeTypeFont)
    content = bundled.font_bytes
    for name in ("NotoSansThai-Regular.ttf", "DejaVuSans.ttf", "Amiri-Regular.ttf", "Unknown.ttf", "notes.txt"):
        (tmp_path / name).write_bytes(content)
    (tmp_path / "NotoColorEmoji.ttf").write_bytes(b"no font")
    monkeypatch.setattr(fonts, "font_folders", lambda: [tmp_path / "missing", tmp_path])
    forget()
    try:
        assert [Path(font.path).name for font in installed_fonts()] == [
            "DejaVuSans.ttf", "", "Amiri-Regular.ttf", "NotoSansThai-Regular.ttf",
        ]  # fmt: skip
    finally:
        forget()


@pytest.mark.parametrize(("platform", "folder"), [("linux", ".fonts"), ("darwin", "Library"), ("win32", "Fonts")])
def test_every_system_has_its_folders(platform: str, folder: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert any(folder in path.as_posix() for path in fonts.font_folders())


def test_a_font_knows_its_characters() -> None:
    assert BUNDLED.has("a")
    assert not BUNDLED.has("猫")
    assert not BUNDLED.has("\uffff")


@pytest.mark.parametrize("text", ["x" * 10**6, "x " * 10**6, "e\u0301" * 10**6, "\ud800 half", "a\0b", "\u200b", ""])
def test_any_name_can_be_drawn_in_bounded_time(text: str) -> None:
    image = Image.new("RGB", (200, 40), "white")
    write(image, shorten(text, 14, 150), 0, 20, 14)
    write_label(image, text, 100, 20, 14)
    assert text_width(shorten(text, 14, 150), 14) <= 150
