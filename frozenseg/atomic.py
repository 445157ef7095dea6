"""Files that are whole or absent: written under another name, then renamed."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any


@contextlib.contextmanager
def replacing(path: str | Path, through_power_cuts: bool = False) -> Iterator[Path]:
    """Give the path to write to instead; it takes the place of ``path`` when the block ends, and goes if it fails.

    Example::

        with replacing(folder / "map.png") as temporary:
            image.save(temporary)

    Args:
        path: the file; its folder is made. The other name has the same ending and is hidden.
        through_power_cuts: wait until the disk has it all, before it takes the place of what was there.

    Raises:
        OSError: the disk refuses.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        if through_power_cuts:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_tensors(path: str | Path, tensors: Mapping[str, Any], metadata: dict[str, str] | None = None) -> None:
    """Write tensors as safetensors, readable by whom the umask lets: safetensors' own writer lets their owner alone."""
    from safetensors.torch import save

    contiguous = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path, through_power_cuts=True) as temporary:
        temporary.write_bytes(save(contiguous, metadata))


def write_text(path: str | Path, text: str, through_power_cuts: bool = False) -> None:
    """Write a text file as UTF-8, with a line's end at its end."""
    with replacing(path, through_power_cuts) as temporary:
        temporary.write_text(text if text.endswith("\n") else text + "\n", encoding="utf-8")


def write_json(path: str | Path, content: Any, indent: int | None = None, through_power_cuts: bool = False) -> None:
    """Write JSON.

    Raises:
        ValueError: a number is not finite.
    """
    write_text(path, json.dumps(content, indent=indent, allow_nan=False), through_power_cuts)
