"""Disk cache of tensors, with keys made from the inputs that they were computed from."""

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from frozenseg.atomic import write_tensors


class TensorCache:
    """Disk cache of tensors under the hash of all values that they depend on.

    Files are safetensors. They are written under a temporary name and renamed, so that processes can share a folder
    and a killed process leaves no incomplete file.

    Args:
        folder: folder of the files; created by the first write.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def load(self, **content: Any) -> Tensor | None:
        """Return the tensor that was computed from ``content`` (values for JSON), or None if it is not cached."""
        from safetensors.torch import load_file

        path = self._path(content)
        return load_file(path)["value"] if path.exists() else None

    def save(self, value: Tensor, **content: Any) -> Path:
        """Store a tensor (any shape and dtype) that was computed from ``content``; return its file."""
        path = self._path(content)
        write_tensors(path, {"value": value})
        return path

    def _path(self, content: dict[str, Any]) -> Path:
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key[:32]}.safetensors"
