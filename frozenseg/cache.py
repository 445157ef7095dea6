"""A store of tensors keyed by what they were computed from: safe to read, written at once or not at all."""

import hashlib
import json
from pathlib import Path
from typing import Any

from torch import Tensor

from frozenseg.atomic import write_tensors


class TensorCache:
    """Tensors on disk under a hash of everything that they depend on.

    Files are safetensors. They are written under a temporary name and renamed, so that processes can share a folder
    and a killed one leaves nothing half written.

    Args:
        folder: where the files lie; made when first needed.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def load(self, **content: Any) -> Tensor | None:
        """Return the tensor computed from ``content`` (JSON-able values), or None where there is none yet."""
        from safetensors.torch import load_file

        path = self._path(content)
        return load_file(path)["value"] if path.exists() else None

    def save(self, value: Tensor, **content: Any) -> Path:
        """Keep a tensor (any shape and dtype) under what it was computed from; returns its file."""
        path = self._path(content)
        write_tensors(path, {"value": value})
        return path

    def _path(self, content: dict[str, Any]) -> Path:
        key = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
        return self.folder / f"{key[:32]}.safetensors"
