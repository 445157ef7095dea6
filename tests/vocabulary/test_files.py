"""Files of class names: three formats, and the numbers of the classes in published files."""

from pathlib import Path

import pytest

from frozenseg.data.spec import read_categories
from frozenseg.errors import DataError
from frozenseg.vocabulary.files import VocabularyLine, match_to_dataset, read_vocabulary_lines, refuse_shifted
from tests.tiny import ROOT


def written(folder: Path, text: str) -> Path:
    path = folder / "words.txt"
    path.write_text(text, encoding="utf-8")
    return path


def numbered(*numbers: int) -> list[VocabularyLine]:
    return [VocabularyLine(number, (f"word {number}",)) for number in numbers]


def matched(lines: list[VocabularyLine], ids: list[int]) -> list[str]:
    return [names[0] for names in match_to_dataset(lines, ids, "words.txt", "pets")]


def test_numbered_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "0:invalid_class_id\n1: cat, kitten\n\n# a remark: here\n3:traffic light,\n")
    assert read_vocabulary_lines(path) == [(1, ("cat", "kitten"), None, None), (3, ("traffic light",), None, None)]


def test_plain_lines(tmp_path: Path) -> None:
    path = written(tmp_path, "\ufeff# pets\ncat,kitten\n\n sky \n")
    assert [line[:2] for line in read_vocabulary_lines(path)] == [(None, ("cat", "kitten")), (None, ("sky",))]


def test_tables(tmp_path: Path) -> None:
    text = "id\tname\tsynonyms\tisthing\tr\tg\tb\n4\tcat\tcat,kitten\t1\t1\t2\t3\n5\tsky\t\t0\t\t\t\n"
    assert read_vocabulary_lines(written(tmp_path, text)) == [
        VocabularyLine(4, ("cat", "kitten"), True, (1, 2, 3)),
        VocabularyLine(5, ("sky",), False, None),
    ]
    assert read_vocabulary_lines(written(tmp_path, "id\tname\n4\tcat\n")) == [VocabularyLine(4, ("cat",))]


@pytest.mark.parametrize("path", sorted((ROOT / "frozenseg/data/categories").glob("*.tsv")), ids=lambda path: path.stem)
def test_our_own_tables_are_such_files(path: Path) -> None:
    lines, rows = read_vocabulary_lines(path), read_categories(path.name)
    assert [tuple(line) for line in lines] == [(row.id, row.names, row.isthing, row.rgb) for row in rows]
    ids = [row.id for row in rows]
    assert match_to_dataset(lines, ids, path, path.stem) == [row.names for row in rows]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"words\.txt has no class"),
        ("0:invalid_class_id\n", "has no class"),
        ("1:cat\n2:sky:blue\n", r"line 2: '2:sky:blue' is not in the format .*such as 3:cat,kitten"),
        ("1:cat\ndog\n", r"line 2: 'dog' is not in the format"),
        ("1:cat\n1:dog\n", "has the number 1 twice"),
        ("cat\n , \n", "line 2: the class has no name"),
        ("1:\n", "line 1: the class has no name"),
        ("name\tisthing\ncat\t1\n", "line 1: id is missing from the column names"),
        ("id\tname\nfour\tcat\n", "line 2: id, r, g and b must be whole numbers"),
        ("id\tname\tr\n4\tcat\t9\n", "line 2: id, r, g and b"),
    ],
)
def test_wrong_files(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        read_vocabulary_lines(written(tmp_path, text))


def test_missing_and_binary_files(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.txt does not exist"):
        read_vocabulary_lines(tmp_path / "none.txt")
    (tmp_path / "binary.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(DataError, match=r"binary\.txt cannot be read as text"):
        read_vocabulary_lines(tmp_path / "binary.txt")
    (tmp_path / "zero.txt").write_bytes(b"cat\0\ndog")  # not UTF-16
    with pytest.raises(DataError, match=r"zero\.txt cannot be read as text .*the character 0"):
        read_vocabulary_lines(tmp_path / "zero.txt")


@pytest.mark.parametrize(
    ("given", "ids", "expected"),
    [
        ([1, 2, 90], [1, 90, 2], [1, 90, 2]),  # COCO: by the annotations' ids, in any order
        ([0, 1, 2], [7, 8, 11], [0, 1, 2]),  # Cityscapes: train ids
        ([1, 2, 3], [0, 1, 2], [1, 2, 3]),  # ADE20K, its 0 invalid
        ([0, 1, 2, 3], [0, 1, 2], [1, 2, 3]),  # PASCAL Context, Mapillary: 0 is no class
        ([0, 1, 2], [1, 2], [1, 2]),  # VOC with 20 classes, by the list of 21
        ([2, 0, 1], [0, 1, 2], [0, 1, 2]),  # in the order of the numbers
    ],
)
def test_published_numbers(given: list[int], ids: list[int], expected: list[int]) -> None:
    assert matched(numbered(*given), ids) == [f"word {number}" for number in expected]


def test_without_numbers_the_order_counts() -> None:
    lines = [VocabularyLine(None, (name,)) for name in ("cat", "sky")]
    assert matched(lines, [5, 3]) == ["cat", "sky"]
    with pytest.raises(DataError, match=r"words\.txt has 2 classes, pets has 3, numbered 0 to 2"):
        matched(lines, [0, 1, 2])


@pytest.mark.parametrize("given", [[1, 2], [1, 2, 4], [0, 1, 2, 4], [0, 1, 2, 3, 4], [2, 3, 4]])
def test_other_numbers_are_refused(given: list[int]) -> None:
    with pytest.raises(DataError, match=rf"has {len(given)} classes, numbered {given[0]} to {given[-1]}, pets"):
        matched(numbered(*given), [0, 1, 2])


NAMES = ("cat", "dog", "tree", "car", "bus")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (NAMES, None),
        (("Katze", "Hund", "Baum", "Auto", "Bus"), None),
        (("cat", "dog", "tree", "bus", "car"), "names of farm in another order: farm has 'car' .* for 2 classes"),
        (NAMES[::-1], "names of farm in another order: farm has 'cat' where the file has 'bus', and so for 4 classes"),
        (("background", *NAMES[:-1]), "shifted by one class: farm has 'cat' .*, and 4 of 5 names fit the class after"),
        ((*NAMES[1:], "van"), "shifted by one class: farm has 'dog' .* fit the class before"),
    ],
)
def test_lists_in_another_order_are_refused(names: tuple[str, ...], message: str | None) -> None:
    expected, actual = [(name, f"a {name}") for name in NAMES], [(name,) for name in names]
    if message is None:
        refuse_shifted(expected, actual, "a.txt", "farm")
        return
    with pytest.raises(DataError, match=message):
        refuse_shifted(expected, actual, "a.txt", "farm")
