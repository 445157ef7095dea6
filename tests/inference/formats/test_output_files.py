"""Paths of output files: below the folder, whatever the names of the images are."""

from pathlib import Path

import pytest

from frozenseg.inference.formats import output_files
from frozenseg.inference.formats.output_files import output_file, printable, relative_url

FOLDER = Path("/out")


@pytest.mark.parametrize(
    ("stem", "path"),
    [
        ("photo", "photo.png"),
        ("sub/dir/photo.v2", "sub/dir/photo.v2.png"),
        ("/etc/passwd", "etc/passwd.png"),
        ("./a//b", "a/b.png"),
        ("", "image.png"),
        ("ünï <b>", "ünï <b>.png"),
    ],
)
def test_names_are_kept_and_stay_below_the_folder(stem: str, path: str) -> None:
    assert output_file(FOLDER, stem, ".png") == FOLDER / path


def test_parent_folders_become_names() -> None:
    path = output_file(FOLDER, "../../secret", ".png")
    assert path.parts[:2] == FOLDER.parts
    assert ".." not in path.parts
    assert path != output_file(FOLDER, "_/_/secret", ".png")


def test_long_names_are_cut_and_stay_distinct(tmp_path: Path) -> None:
    paths = [output_file(tmp_path, f"{'ü' * 200}{number}", ".json") for number in (1, 2)]
    assert paths[0] != paths[1]
    for path in paths:
        path.touch()


@pytest.mark.parametrize("name", ["a:b", 'a"b', "a|b", "con", "NUL.x", "end.", "new\nline"])
def test_windows_has_further_names_to_replace(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert output_file(FOLDER, name, "").name == name
    monkeypatch.setattr(output_files, "IS_WINDOWS", True)
    replaced = output_file(FOLDER, name, "").name
    assert not set(replaced) & set('<>:"|?*\\\n')
    assert replaced != output_file(FOLDER, f"{name} ", "").name
    assert replaced.lower() not in ("con", "nul.x")


def test_addresses_are_escaped_and_texts_printable() -> None:
    assert relative_url(FOLDER / "a b" / "#1?.jpg", FOLDER) == "a%20b/%231%3F.jpg"
    assert printable("a\x00b\ud800") == "a\ufffdb?"
