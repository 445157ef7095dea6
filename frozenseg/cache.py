"""Disk caches of tensors and of NumPy arrays, with keys made from the inputs that they were computed from."""

import contextlib
import hashlib
import json
import os
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from frozenseg.atomic import replacing, write_tensors
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger
from frozenseg.output_paths import file_in_the_way

logger = get_logger(__name__)
Arrays = dict[str, np.ndarray]
GIB = 2**30
CHECK_EVERY = 50  # number of files written between two checks of the folder's size


class TensorCache:
    """Disk cache of tensors under the hash of all values that they depend on.

    Files are safetensors. They are written under a temporary name and renamed, so that processes can share a folder
    and a killed process leaves no incomplete file.

    A damaged file counts as absent.

    Args:
        folder: folder of the files; created by the first write.

    Raises:
        ConfigError: a file is in the way of the folder.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = _checked(folder)

    def load(self, **content: Any) -> Tensor | None:
        """Return the tensor that was computed from ``content`` (values for JSON), or None if it is not cached."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self._path(content)
        if not path.exists():
            return None
        try:
            return load_file(path)["value"]
        except (OSError, KeyError, SafetensorError) as error:
            logger.warning("%s is damaged and will be replaced: %s", path, error)
            return None

    def save(self, value: Tensor, **content: Any) -> Path:
        """Store a tensor (any shape and dtype) that was computed from ``content``; return its file.

        Raises:
            ConfigError: the file cannot be written.
        """
        path = self._path(content)
        with _named_failure(self.folder):
            write_tensors(path, {"value": value})
        return path

    def _path(self, content: dict[str, Any]) -> Path:
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key[:32]}.safetensors"


class ArrayCache:
    """Disk cache of named arrays in compressed ``.npz`` files, with an optional limit of its size.

    Files are written under a temporary name and renamed, so that processes can share a folder and a killed process
    leaves no incomplete file. A damaged file counts as absent.

    Args:
        folder: folder of the files; created by the first write.
        limit: GiB; beyond it the least recently used files are deleted. 0 for no limit.

    Raises:
        ConfigError: a file is in the way of the folder.
    """

    def __init__(self, folder: str | Path, limit: float = 0) -> None:
        self.folder, self.limit = _checked(folder), limit
        self._written = 0

    def load(self, key: str, required: Sequence[str]) -> Arrays | None:
        """Return the arrays under a key, or None if there are none.

        Args:
            key: hexadecimal digits.
            required: names of the arrays; a file without one of them counts as damaged.
        """
        path = self._path(key)
        try:
            with path.open("rb") as file, np.load(file, allow_pickle=False) as content:
                arrays = {name: content[name] for name in required}
        except FileNotFoundError:
            return None
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            logger.warning("%s is damaged and will be replaced: %s", path, error)
            return None
        with contextlib.suppress(OSError):  # the folder may be read-only, or another process may have deleted the file
            os.utime(path)  # marks the file as used
        return arrays

    def save(self, key: str, arrays: Arrays) -> Path:
        """Store arrays (any shapes and dtypes) under a key; return their file.

        Raises:
            ConfigError: the file cannot be written.
        """
        path = self._path(key)
        with _named_failure(self.folder), replacing(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # NumPy's stub takes the arrays for the argument allow_pickle
        self._written += 1
        if self.limit and self._written % CHECK_EVERY == 1:
            self._shrink(keep=path)
        return path

    def _path(self, key: str) -> Path:
        return self.folder / key[:2] / f"{key}.npz"

    def _shrink(self, keep: Path) -> None:
        """Delete the least recently used files beyond the limit."""
        files = []
        for path in self.folder.glob("*/*.npz"):
            try:
                state = path.stat()
            except FileNotFoundError:
                continue  # another process has deleted it
            files.append((state.st_mtime, state.st_size, path))
        surplus = sum(size for _, size, _ in files) - self.limit * GIB
        for _, size, path in sorted(files):
            if surplus <= 0:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                surplus -= size


def _checked(folder: str | Path) -> Path:
    path = Path(os.path.expanduser(folder))
    if obstacle := file_in_the_way(path):
        raise ConfigError(f"{path} cannot be a cache folder ({obstacle}): choose another folder.")
    return path


@contextlib.contextmanager
def _named_failure(folder: Path) -> Iterator[None]:
    """Raise ConfigError with the name of the cache folder if it cannot be written; a read-only one can be read."""
    try:
        yield
    except OSError as error:
        raise ConfigError(
            f"The cache folder {folder} cannot be written ({error.strerror or error}): make room, or choose another "
            "folder."
        ) from error
