"""Image files by path, folder and pattern, and the names of their drawings."""

from pathlib import Path

import pytest

from frozenseg.errors import DataError
from frozenseg.inference.image_files import distinct_names, list_images


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.png", "a.JPG", "notes.txt", ".hidden.png"):
        (tmp_path / name).touch()
    (tmp_path / "deeper.png").mkdir()
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_folders_patterns_and_files(folder: Path) -> None:
    assert [file.name for file in list_images([folder])] == ["a.JPG", "b.png"]
    assert list_images([f"{folder}/*.png", folder / "b.png"]) == [folder / "b.png"]
    assert list_images([folder / "gone.png", folder / "notes.txt"]) == [folder / "gone.png", folder / "notes.txt"]


def test_a_file_with_brackets_is_no_pattern(folder: Path) -> None:
    (folder / "c[1].png").touch()
    assert list_images([folder / "c[1].png"]) == [folder / "c[1].png"]


def test_backslashes_are_slashes_where_that_names_a_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder.parent)
    assert list_images([f"{folder.name}\\b.png"]) == [Path(folder.name) / "b.png"]


def test_nothing_is_a_sentence(folder: Path) -> None:
    with pytest.raises(DataError, match=r"The folder .*empty has no image"):
        list_images([folder / "empty"])
    with pytest.raises(DataError, match=r"No file matches the pattern .*\*\.webp"):
        list_images([folder / "*.webp"])


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["a.jpg", "b.jpg"], ["a", "b"]),
        (["a.jpg", "a.png", "b.jpg"], ["a.jpg", "a.png", "b"]),
        (["A.jpg", "a.png"], ["A.jpg", "a.png"]),
        (["x/a.jpg", "y/a.jpg"], ["x_a.jpg", "y_a.jpg"]),
        (["1/x/a.jpg", "2/x/a.jpg"], ["x_a.jpg", "x_a.jpg_2"]),
        (["x/a.jpg", "x/a.png", "x/a.jpg.png"], ["x_a.jpg", "a.png", "x_a.jpg.png"]),
    ],
)
def test_names_are_distinct(files: list[str], names: list[str]) -> None:
    assert distinct_names([Path(file) for file in files]) == names
