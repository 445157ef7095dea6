"""Frozen foundation models: no gradient, always in eval mode, identified by the hash of their weights."""

import hashlib
from collections.abc import Mapping

from torch import Tensor, nn


class Frozen(nn.Module):
    """Base of the two frozen encoders. Call :meth:`freeze` at the end of the constructor."""

    def freeze(self) -> None:
        """Stop all gradients and leave training mode for good."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Stay in eval mode whatever the model around is told: dropout and batch statistics never act here."""
        del mode
        return super().train(False)

    def weights_hash(self) -> str:
        """Return the hash of all weights, see :func:`hash_of`."""
        return hash_of(self.state_dict())


def hash_of(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (16 hex digits) over names, shapes and bytes of weights, in order of their names."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()[:16]
