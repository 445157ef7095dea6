"""File names in annotation files → files of one folder, for names of other machines and tools."""

import logging
import unicodedata
from pathlib import Path

import pytest

from frozenseg.data.formats.image_paths import ImagePaths
from frozenseg.errors import DataError

FILES = ("a.jpg", "B.JPG", "c d.jpeg", "deep/e.png", "deep/two.jpg", "other/two.jpg", "é.png", "100%.png", ".DS_Store")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "images" / unicodedata.normalize("NFC", name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (tmp_path / "secret.txt").touch()
    return tmp_path / "images"


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("a.jpg", "a.jpg"),
        ("deep/e.png", "deep/e.png"),
        ("100%.png", "100%.png"),
        ("deep\\e.png", "deep/e.png"),
        ("c%20d.jpeg", "c d.jpeg"),
        ("A.JPG", "a.jpg"),
        ("b.jpg", "B.JPG"),
        ("c d.jpg", "c d.jpeg"),
        (unicodedata.normalize("NFD", "é.png"), "é.png"),
        ("/home/ann/set/a.jpg", "a.jpg"),
        ("C:\\Users\\ann\\images\\a.jpg", "a.jpg"),
        ("file:///home/ann/c%20d.jpeg", "c d.jpeg"),
        ("http://localhost:8080/data/upload/a.jpg?token=1", "a.jpg"),
        ("/data/upload/1/01ab23cd-a.jpg", "a.jpg"),
        ("/data/local-files/?d=set/a.jpg", "a.jpg"),
        ("/home/ann/deep/two.jpg", "deep/two.jpg"),  # the last folder decides between two files
        ("../images/a.jpg", "a.jpg"),
        ("../../elsewhere/a.jpg", "a.jpg"),
        ("e.png", "deep/e.png"),
    ],
)
def test_names_of_other_machines_and_tools(name: str, file: str, folder: Path) -> None:
    assert Path(ImagePaths(folder, "t.json").resolve(name)) == folder / file


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "/home/ann/two.jpg",
            r"t\.json: .*no file .*, but 2 files .*\(deep/two\.jpg, other/two\.jpg",
        ),
        ("../secret.txt", r"t\.json: the file name '\.\./secret\.txt' is outside the folder .*images="),
        ("..\\secret.txt", r"'\.\.\\\\secret\.txt' is outside the folder"),
        ("/etc/passwd", r"'/etc/passwd' is outside the folder"),
        (7, r"t\.json: the file name 7 is no path"),
        ("", "the file name '' is no path"),
        ("a\0.jpg", "is no path"),
    ],
)
def test_names_that_mean_no_file_or_several(name: object, message: str, folder: Path) -> None:
    with pytest.raises(DataError, match=message):
        ImagePaths(folder, "t.json").resolve(name)


def test_two_names_may_not_mean_one_file(folder: Path) -> None:
    paths = ImagePaths(folder, "t.json")
    paths.resolve("/train/1/a.jpg")
    with pytest.raises(DataError, match=r"'/train/1/a\.jpg' and '/train/2/a\.jpg' both mean"):
        paths.resolve("/train/2/a.jpg")


def test_a_missing_file_keeps_its_path(folder: Path) -> None:
    assert Path(ImagePaths(folder, "t.json").resolve("none/f.png")) == folder / "none/f.png"


def test_readings_are_logged_once(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            paths = ImagePaths(folder, "t.json")
            for name in ("a.jpg", "/x/B.JPG", "/x/deep/e.png", "/x/é.png"):
                paths.resolve(name)
            paths.report()
    assert len(caplog.messages) == 1
    assert "2 of 4 by the base name, 1 of 4 by the last folders" in caplog.messages[0]
    assert "'/x/B.JPG' is B.JPG" in caplog.messages[0]


def test_names_as_written_are_not_mentioned(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    paths = ImagePaths(folder, "t.json")
    paths.resolve("a.jpg")
    paths.report()
    assert not caplog.messages
