"""Atomic writing: files are complete or absent."""

import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from frozenseg.atomic import remove_leftovers, replacing, write_json, write_tensors, write_text


def test_the_file_appears_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "new" / "map.png"
    with replacing(path) as temporary:
        temporary.write_bytes(b"half")
        assert not path.exists()
        assert temporary.suffix == ".png"
    assert path.read_bytes() == b"half"
    assert list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")

    def write_half() -> None:
        with replacing(path) as temporary:
            temporary.write_text("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_ends_with_a_line_and_json_is_finite(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "ä")
    assert (tmp_path / "a.txt").read_bytes() == "ä\n".encode()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "b.json", {"a": float("nan")})
    assert not (tmp_path / "b.json").exists()


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_tensors_can_be_read_by_whom_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_tensors(tmp_path / "value.safetensors", {"value": torch.ones(2, 3).T}, {"made": "here"})
    finally:
        os.umask(before)
    assert (tmp_path / "value.safetensors").stat().st_mode & 0o777 == 0o640
    assert torch.equal(load_file(tmp_path / "value.safetensors")["value"], torch.ones(3, 2))


def test_temporary_files_of_killed_processes_are_deleted(tmp_path: Path) -> None:
    ended = 2**22 + 1  # larger than any process id of Linux
    kept = [f".map.{os.getpid()}.tmp.png", ".map.png", "map.tmp.png", f"{ended}.tmp"]
    (tmp_path / "sub").mkdir()
    for name in [*kept, f".map.{ended}.tmp.png", f"sub/.map.{ended}.tmp"]:
        (tmp_path / name).touch()
    remove_leftovers(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)
