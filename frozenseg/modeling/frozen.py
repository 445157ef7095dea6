"""Frozen foundation models: without gradient, always in eval mode, identified by the hash of their weights."""

import hashlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.modeling.layers.int8_linear import multiplies_int8, quantize_linear_layers
from frozenseg.modeling.tracing import autocast

PRECISIONS = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16, "int8": torch.int8}
WITHOUT_INT8 = "MODEL.FROZEN_DTYPE int8 needs a CPU with VNNI, and {} has none: set it to float32 or bfloat16."
_cast_once = threading.Lock()


class Frozen(nn.Module, ABC):
    """Base of the two frozen encoders. Call :meth:`freeze` at the end of the constructor.

    Attributes:
        precision: dtype of the image trunk. Its weights are cast once, at the first call: load them, and choose the
            dtype, before. Inputs are cast to it and outputs back to float32. int8 is that of the linear layers, which
            take and return float32.
        replaced: True if the weights are those of a file of trained weights, not the pretrained ones of the config.
    """

    precision: torch.dtype = torch.float32
    replaced: bool = False
    _hash_before: str | None = None  # hash of the weights before they were cast
    _before_cast: Mapping[str, Tensor] | None = None  # weights of a replaced encoder before they were cast, on the CPU

    @abstractmethod
    def image_trunk(self) -> Iterable[nn.Module]:
        """Return the modules that only :meth:`forward` uses, to which ``precision`` applies."""

    def __call__(self, images: Tensor, *args: Any, **kwargs: Any) -> Any:
        """Run :meth:`forward` in the chosen precision; returns float32."""
        if self.precision == torch.float32:
            return super().__call__(images, *args, **kwargs)
        self._cast_trunk(images.device)
        inputs = torch.float32 if self.precision == torch.int8 else self.precision
        with autocast(images.device.type, torch.float32, enabled=False):
            return _as_float32(super().__call__(images.to(inputs), *args, **kwargs))

    def _cast_trunk(self, device: torch.device) -> None:
        """Cast the trunk's weights to the chosen precision, once; :meth:`weights_hash` does not change."""
        with _cast_once:
            if self._hash_before is None:
                self.require_instructions(device)
                before = hash_of(self.state_dict())
                if self.replaced:
                    self._before_cast = {name: value.cpu().clone() for name, value in self.state_dict().items()}
                for part in self.image_trunk():
                    if self.precision == torch.int8:
                        quantize_linear_layers(part)
                    else:
                        part.to(self.precision)
                self._hash_before = before

    def require_instructions(self, device: torch.device) -> None:
        """Raise ConfigError if a device cannot run the trunk in the chosen precision."""
        if self.precision == torch.int8 and not multiplies_int8(device):
            raise ConfigError(WITHOUT_INT8.format("this CPU" if device.type == "cpu" else device))

    def freeze(self) -> None:
        """Disable all gradients and switch to eval mode, which :meth:`train` cannot undo."""
        self.requires_grad_(False)
        self.eval()

    def train(self, mode: bool = True) -> "Frozen":
        """Ignore ``mode`` and stay in eval mode: no dropout, no batch statistics."""
        del mode
        return super().train(False)

    def weights_hash(self) -> str:
        """Return the hash of all weights as they were loaded, see :func:`hash_of`."""
        return self._hash_before or hash_of(self.state_dict())

    def loaded_weights(self) -> Mapping[str, Tensor]:
        """Return all weights by name as they were loaded; after a cast only those of a replaced encoder are kept."""
        return self._before_cast or self.state_dict()

    def identity(self) -> str:
        """Return a cache key of everything that affects the outputs: the weights' hash, and a lower precision."""
        precision = "" if self.precision == torch.float32 else f" {self.precision}"
        return f"{self.weights_hash()}{precision}"


def hash_of(weights: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 (first 16 hex digits) over names, shapes and bytes of weights, sorted by name."""
    digest = hashlib.sha256()
    for name, tensor in sorted(weights.items()):
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
    return digest.hexdigest()[:16]


def precision_named(name: str) -> torch.dtype:
    """Return the dtype for a value of MODEL.FROZEN_DTYPE.

    Raises:
        ConfigError: unknown name.
    """
    if name not in PRECISIONS:
        raise ConfigError(
            f"Unknown MODEL.FROZEN_DTYPE {name!r}.{did_you_mean(name, PRECISIONS)} Available: {', '.join(PRECISIONS)}."
        )
    return PRECISIONS[name]


def _as_float32(output: Any) -> Any:
    """Return a tensor, or a named tuple of tensors, in float32."""
    return output.float() if isinstance(output, Tensor) else type(output)(*(part.float() for part in output))
