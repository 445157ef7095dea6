"""Class lists, pixel values and colours of label images → one coding, and label images read with it."""

import logging
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.data.label_classes import LabelClasses, classes_of_labels
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels

TABLE = "id\tname\tr\tg\tb\n0\tsky\t0\t0\t0\n1\tcat\t10\t20\t30\n2\tdog\t255\t255\t255\n"
PALETTE = np.array([(0, 0, 0), (10, 20, 30), (255, 255, 255)], dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def listed(folder: Path, text: str, ignore: str | None = None, values: str | None = None) -> LabelClasses:
    (folder / "classes.txt").write_text(text, encoding="utf-8")
    return classes_of_labels(folder / "classes.txt", ignore, values)


def labels(folder: Path, classes: LabelClasses, pixels: object, palette: np.ndarray | None = None) -> list[list[int]]:
    image = Image.fromarray(np.array(pixels, dtype=np.uint8))
    if palette is not None:
        image = image.convert("L")
        image.putpalette(palette.ravel().tolist())
    image.save(folder / "labels.png")
    return read_labels(folder / "labels.png", classes.coding).tolist()


def test_consecutive_values_need_no_coding(folder: Path) -> None:
    classes = listed(folder, "2:hay\n1:sky\n", "0")
    assert (classes.coding, classes.first_label, classes.ignore_label) == (None, 1, 0)
    assert [row.names for row in classes.rows] == [("sky",), ("hay",)]


@pytest.mark.parametrize(
    ("text", "ignore", "values", "pixels", "expected"),
    [
        ("0:sky\n10:cat\n20:dog\n", None, None, [[0, 10, 20, 255]], [[0, 1, 2, 255]]),
        ("7:road\n8:pavement\n", "0", None, [[7, 8, 0]], [[0, 1, 255]]),
        ("sky\ncat\n", None, "0,255", [[0, 255]], [[0, 1]]),
        ("sky\ncat\n", None, "255,0", [[0, 255]], [[1, 0]]),
        ("0:sky\n255:cat\n", None, None, [[0, 255]], [[0, 1]]),
        ("sky\ncat\n", "7", "0,255", [[0, 255, 7]], [[0, 1, 255]]),
    ],
)
def test_values_of_classes(
    text: str, ignore: str | None, values: str | None, pixels: object, expected: object, folder: Path
) -> None:
    assert labels(folder, listed(folder, text, ignore, values), pixels) == expected


def test_a_value_without_a_class_is_named(folder: Path) -> None:
    classes = listed(folder, "0:sky\n10:cat\n")
    message = (
        r"labels\.png holds the value 3 at row 1, column 0: expected 0, 10, or 255 for unlabelled pixels; .*&ignore=3"
    )
    with pytest.raises(DataError, match=message):
        labels(folder, classes, [[0, 10], [3, 10]])


def test_a_class_with_the_default_value_of_unlabelled_pixels_is_mentioned(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        listed(folder, "0:sky\n255:cat\n")
    assert any(
        "255 is the value of the class 'cat', so that no value means unlabelled" in text for text in caplog.messages
    )


@pytest.mark.parametrize(
    ("text", "ignore", "values", "message"),
    [
        ("sky\ncat\n", "x", None, "ignore is 'x' .*: expected a pixel value such as 255 or 0, or a colour"),
        ("sky\ncat\n", "1", None, "The value 1 of unlabelled pixels is also the value of a class .* 'cat'"),
        ("sky\ncat\n", None, "0", "values is '0': expected 2 different pixel values"),
        ("sky\ncat\n", None, "0,0", "expected 2 different"),
        ("sky\ncat\n", None, "0,-1", "expected 2 different"),
        ("0:sky\n1:cat\n", None, "0,255", "has a number for each class"),
        (TABLE, "0,0,0", None, "The colour .0, 0, 0. of unlabelled pixels is also that of a class .* 'sky'"),
        (TABLE, "0,0,300", None, "ignore is '0,0,300'"),
    ],
)
def test_settings_that_contradict(text: str, ignore: str, values: str, message: str, folder: Path) -> None:
    with pytest.raises(DataError, match=message):
        listed(folder, text, ignore, values)


def test_colours_of_classes(folder: Path) -> None:
    pixels = [[(0, 0, 0), (255, 255, 255)], [(10, 20, 30), (224, 224, 192)]]
    assert labels(folder, listed(folder, TABLE), pixels) == [[0, 2], [1, 255]]
    assert labels(folder, listed(folder, TABLE, "9,9,9"), [[(9, 9, 9), (10, 20, 30)]]) == [[255, 1]]


def test_a_labelmap_of_cvat(folder: Path) -> None:
    text = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ncat:250,50,83::\n"
    (folder / "labelmap.txt").write_text(text, encoding="utf-8")
    classes = classes_of_labels(folder / "labelmap.txt")
    assert [row.names[0] for row in classes.rows] == ["background", "cat"]
    assert labels(folder, classes, [[(0, 0, 0), (250, 50, 83)]]) == [[0, 1]]


def test_a_colour_without_a_class_is_named(folder: Path) -> None:
    message = (
        r"labels\.png has the colour \(11, 20, 30\) at row 1, column 1, .* the nearest one is \(10, 20, 30\), 'cat'"
    )
    with pytest.raises(DataError, match=message):
        labels(folder, listed(folder, TABLE), [[(0, 0, 0), (10, 20, 30)], [(0, 0, 0), (11, 20, 30)]])


def test_a_palette_of_the_colours_counts_by_colour(folder: Path) -> None:
    classes = listed(folder, TABLE)
    assert labels(folder, classes, [[0, 1, 2]], PALETTE) == [[0, 1, 2]]
    assert labels(folder, classes, [[0, 1, 2]], PALETTE[[2, 0, 1]]) == [[2, 0, 1]]


def test_a_palette_of_other_colours_counts_by_value(folder: Path) -> None:
    other = np.array([(0, 0, 0), (9, 9, 1), (8, 8, 1)], dtype=np.uint8)
    assert labels(folder, listed(folder, TABLE), [[0, 1, 2]], other) == [[0, 1, 2]]


def test_a_palette_that_contradicts_the_list_is_refused(folder: Path) -> None:
    mixed = np.array([(10, 20, 30), (0, 0, 0), (8, 8, 1)], dtype=np.uint8)
    with pytest.raises(DataError, match=r"value 2 has the colour \(8, 8, 1\), which is no class"):
        labels(folder, listed(folder, TABLE), [[0, 1, 2]], mixed)


@pytest.mark.parametrize(
    ("pixels", "expected"),
    [
        ([[0, 1, 2, 255]], [[0, 1, 2, 255]]),  # 255 is unlabelled: 1 and 2 are values, not grey levels
        ([[0, 255]], [[0, 2]]),  # black and white, both of them colours of classes
    ],
)
def test_grey_levels_of_a_list_with_colours(pixels: object, expected: object, folder: Path) -> None:
    assert labels(folder, listed(folder, TABLE), pixels) == expected
