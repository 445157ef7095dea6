"""Atomic file writing: files are written under a temporary name and renamed, so that they are complete or absent."""

import contextlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

_written: ContextVar[list[Path] | None] = ContextVar("written", default=None)
_TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp(\.[^.]*)?")  # process id and suffix, see replacing


@contextlib.contextmanager
def replacing(path: str | Path, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary path to write to; it replaces ``path`` at the end of the block.

    The temporary file is deleted if an error occurs in the block.

    Example::

        with replacing(folder / "map.png") as temporary:
            image.save(temporary)

    Args:
        path: target file; its folder is created. The temporary file is hidden and has the same suffix.
        durable: True to flush the content to the disk before the rename, so that it survives a power failure.

    Raises:
        OSError: the file cannot be written.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        if durable:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
        if (written := _written.get()) is not None:
            written.append(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def recorded_writes() -> Iterator[list[Path]]:
    """Yield a list of the files that :func:`replacing` writes in the block, in this thread."""
    written: list[Path] = []
    token = _written.set(written)
    try:
        yield written
    finally:
        _written.reset(token)


def remove_leftovers(folder: Path) -> None:
    """Delete the temporary files of :func:`replacing` in a folder tree whose processes were killed.

    Args:
        folder: of files that are written on this machine only.

    Raises:
        OSError: a file cannot be deleted.
    """
    for path in folder.rglob(".*.tmp*"):
        name = _TEMPORARY.fullmatch(path.name)
        if name is not None and not _is_running(int(name[1])):
            path.unlink(missing_ok=True)


def _is_running(process: int) -> bool:
    if os.name == "nt":  # os.kill would end the process there
        return True
    try:
        os.kill(process, 0)  # sends nothing
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # of another user; or no process id
        return True
    return True


def write_tensors(path: str | Path, tensors: Mapping[str, Any], metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, with file permissions that follow the umask.

    ``safetensors.torch.save_file`` creates files that only their owner can read.

    Args:
        path: target file.
        tensors: ``torch.Tensor`` by name, of any shape, dtype and device.
        metadata: text by name, for the header of the file.
    """
    from safetensors.torch import save

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path, durable=True) as temporary:
        temporary.write_bytes(save(contiguous, metadata))


def write_text(path: str | Path, text: str, durable: bool = False) -> None:
    """Write a text file as UTF-8, with a newline at its end; see :func:`replacing`."""
    with replacing(path, durable) as temporary:
        temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def write_json(path: str | Path, content: Any, indent: int | None = None, durable: bool = False) -> None:
    """Write a JSON file; see :func:`replacing`.

    Args:
        path: target file.
        content: value that JSON can represent.
        indent: spaces for each level; None for a single line.
        durable: see :func:`replacing`.

    Raises:
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(content, indent=indent, allow_nan=False), durable)
