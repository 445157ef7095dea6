"""Output folders and files that can and cannot be written, and the message for each obstacle."""

import tempfile
from pathlib import Path
from typing import Any

import pytest

from frozenseg.cache import ArrayCache, TensorCache
from frozenseg.errors import ConfigError
from frozenseg.output_paths import file_in_the_way, require_file, require_folder, require_free


def refused(path: Path | str, reason: str) -> None:
    for check, kind in ((require_folder, "folder"), (require_file, "file")):
        target = f"{path}/file.json" if check is require_file else path
        message = rf"^--output .* cannot be written \({reason}\): choose another {kind}\.$"
        with pytest.raises(ConfigError, match=message) as error:
            check(target, "--output")
        assert len(str(error.value)) < 600


def test_folders_are_created_and_stay_empty(tmp_path: Path) -> None:
    assert require_folder(str(tmp_path / "a/b"), "--output") == tmp_path / "a/b"
    assert require_folder(tmp_path / "a/b", "--output") == tmp_path / "a/b"  # again
    assert list((tmp_path / "a/b").iterdir()) == []
    assert require_file(tmp_path / "c/file.json", "--output") == tmp_path / "c/file.json"
    assert list((tmp_path / "c").iterdir()) == []


def test_the_home_folder_is_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert require_folder("~/runs", "OUTPUT_DIR") == tmp_path / "runs"
    assert require_file("~/runs/file.json", "OUTPUT_DIR") == tmp_path / "runs/file.json"


def test_an_existing_file_stays_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "file.json").write_text("old", encoding="utf-8")
    require_file(tmp_path / "file.json", "--output")
    assert (tmp_path / "file.json").read_text() == "old"


def test_files_in_the_way_are_named(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    refused(tmp_path / "taken", ".*/taken is a file")
    refused(tmp_path / "taken/run/1", ".*/taken is a file")
    assert file_in_the_way(tmp_path / "free/run") == ""
    with pytest.raises(ConfigError, match=r"--output .* cannot be written \(it is a folder\): choose another file"):
        require_file(tmp_path, "--output")


def test_paths_that_no_system_accepts(tmp_path: Path) -> None:
    refused(tmp_path / ("x" * 300), "File name too long")
    refused(str(tmp_path / "/".join(["x" * 100] * 60)), "File name too long")
    refused(f"{tmp_path}/a\0b", "embedded null byte")
    refused("~nobody-with-this-name/run", "Could not determine home directory.*")


def test_a_folder_without_permission(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def deny(**options: Any) -> None:
        raise PermissionError(13, "Permission denied", str(options["dir"]))

    monkeypatch.setattr(tempfile, "TemporaryFile", deny)  # the tests may run as root, who may write everywhere
    refused(tmp_path, "Permission denied")


def test_names_of_a_run_that_are_taken(tmp_path: Path) -> None:
    require_free(tmp_path, ("inference",), ("log.txt",), "OUTPUT_DIR")
    (tmp_path / "log.txt").mkdir()
    with pytest.raises(ConfigError, match=r"OUTPUT_DIR .* has a folder log\.txt, where a file will be written: remove"):
        require_free(tmp_path, ("inference",), ("log.txt",), "OUTPUT_DIR")
    (tmp_path / "inference").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="has a file inference, where a folder will be written: remove it, or"):
        require_free(tmp_path, ("inference",), ("log.txt",), "OUTPUT_DIR")


@pytest.mark.parametrize("cache", [TensorCache, ArrayCache])
def test_a_file_in_the_way_of_a_cache(cache: type[TensorCache | ArrayCache], tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"taken/cache cannot be a cache folder \(.*taken is a file\)"):
        cache(tmp_path / "taken/cache")
