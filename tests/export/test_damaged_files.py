"""Folders of exported models that are incomplete, damaged or of another version: one sentence for each."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from frozenseg.export.runtime import OnnxSegmenter
from frozenseg.export.runtime_files import ExportedFileError


def copied(folder: Path, target: Path) -> Path:
    """Return a copy of an export whose files are links."""
    shutil.copytree(folder, target, copy_function=lambda source, copy: Path(copy).symlink_to(source))
    return target


def replaced(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def with_flipped_byte(content: bytes, share: float) -> bytes:
    position = int(share * (len(content) - 1))
    return content[:position] + bytes([content[position] ^ 1]) + content[position + 1 :]


DAMAGES: tuple[Callable[[bytes], bytes], ...] = (
    lambda content: b"",
    lambda content: content[: len(content) // 2],
    lambda content: content + b"0",
    lambda content: with_flipped_byte(content, 0.0),
    lambda content: with_flipped_byte(content, 0.3),
    lambda content: with_flipped_byte(content, 0.9),
)


def test_every_damage_of_every_file_is_reported_before_it_is_read(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path / "copy")
    OnnxSegmenter(folder, threads=1)
    for path in sorted(folder.iterdir()):
        if path.suffix == ".py":
            continue
        content = path.read_bytes()
        for damage in DAMAGES:
            replaced(path, damage(content))
            with pytest.raises(ExportedFileError) as raised:
                OnnxSegmenter(folder, threads=1)
            assert str(raised.value).count("\n") == 0
            assert str(path.name if path.name != "manifest.sha256" else "manifest.json") in str(raised.value)
        replaced(path, content)
    OnnxSegmenter(folder, threads=1)


def test_a_changed_runtime_is_accepted(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path / "copy")
    replaced(folder / "runtime.py", b"# other code")
    OnnxSegmenter(folder, threads=1)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("manifest.json", b'{"format": "frozenseg-export", "version": 1}', r"has version 1 of format .*, expected ver"),
        ("manifest.json", b'{"format": ', r"manifest.json cannot be read \(JSONDecodeError\): name a folder"),
        ("manifest.json", b"[]", r"manifest.json cannot be read \(TypeError\): name a folder"),
        ("manifest.json", None, r"manifest.json cannot be read \(FileNotFoundError\)"),
        ("manifest.sha256", None, r"manifest.json has not the SHA-256 that manifest.sha256 states: copy the whole"),
        ("text.onnx", None, r"text.onnx is missing, expected \d+ bytes: copy the whole folder again"),
        ("text.onnx", b"0" * 100, r"text.onnx has 100 bytes, expected \d+ bytes: copy the whole folder again"),
    ],
)
def test_the_message_has_file_and_reason(
    exported: Path, tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    folder = copied(exported, tmp_path / "copy")
    (folder / name).unlink()
    if content is not None:
        (folder / name).write_bytes(content)
    with pytest.raises(ExportedFileError, match=message):
        OnnxSegmenter(folder)


def test_files_of_equal_size_from_another_export_are_damaged(exported: Path, tmp_path: Path) -> None:
    folder = copied(exported, tmp_path / "copy")
    size = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))["files"]["embeddings.npz"]["bytes"]
    replaced(folder / "embeddings.npz", bytes(size))
    with pytest.raises(ExportedFileError, match=r"embeddings.npz has not the SHA-256 of manifest.json: copy the whole"):
        OnnxSegmenter(folder)
