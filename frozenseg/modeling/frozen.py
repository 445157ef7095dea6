"""Frozen foundation models: no gradient, always in eval mode, identified by the hash of their weights."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.errors import ConfigError, did_you_mean

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


class Frozen(nn.Module):
    """Base of the two frozen encoders. Call :meth:`freeze` at the end of the constructor.

    Attributes:
        precision: that the image trunk works in. Its weights are brought to it when it is first called, so weights are
            to be loaded before; what goes in is cast to it, and what comes out is float32 again.
    """

    precision: torch.dtype = torch.float32
    _hash_before: str | None = None

    def image_trunk(self) -> Iterable[nn.Module]:
        """Return the parts that :meth:`forward` alone uses, to which ``precision`` applies."""
        raise NotImplementedError(f"{type(self).__name__} does not say what its image trunk is.")

    def __call__(self, images: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run :meth:`forward` in the chosen precision; returns float32."""
        if self.precision == torch.float32:
            return super().__call__(images, *args, **kwargs)
        self._lower()
        with torch.autocast(images.device.type, enabled=False):
            return _as_float32(super().__call__(images.to(self.precision), *args, **kwargs))

    def _lower(self) -> None:
        """Bring the trunk's weights to the chosen precision, once; the hash stays that of the weights as loaded."""
        if self._hash_before is None:
            self._hash_before = hash_of(self.state_dict())
            for part in self.image_trunk():
                part.to(self.precision)

    def freeze(self) -> None:
        """Stop all gradients and leave training mode for good."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in eval mode whatever the model around is told: dropout and batch statistics never act here."""
        del mode
        return super().train(False)

    def weights_hash(self) -> str:
        """Return the hash of all weights as they were loaded, see :func:`hash_of`."""
        return self._hash_before or hash_of(self.state_dict())

    def identity(self) -> str:
        """Return what the image trunk's outputs depend on: the hash of all weights, and a lower precision."""
        precision = "" if self.precision == torch.float32 else f" {self.precision}"
        return f"{self.weights_hash()}{precision}"


def hash_of(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (16 hex digits) over names, shapes and bytes of weights, in order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()[:16]


def precision_named(name: str) -> torch.dtype:
    """Return what MODEL.FROZEN_DTYPE stands for.

    Raises:
        ConfigError: it is none of ``PRECISIONS``.
    """
    if name not in PRECISIONS:
        raise ConfigError(
            f"MODEL.FROZEN_DTYPE is {name!r}.{did_you_mean(name, PRECISIONS)} Known: {', '.join(PRECISIONS)}."
        )
    return PRECISIONS[name]


def _as_float32(output: Any) -> Any:
    """Return a tensor, or a named tuple of tensors, in float32."""
    return output.float() if isinstance(output, Tensor) else type(output)(*(part.float() for part in output))
