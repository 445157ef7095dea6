"""Build full-size models in a blink and in no memory: every tensor on PyTorch's meta device, shapes without values."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from frozenseg.registry import CLIP, META_ARCH, PIXEL_DECODER, SAM, TRANSFORMER_DECODER


class _ValuesOnCPU(TorchFunctionMode):
    """Keeps the calls on the CPU whose values constructors read, such as timm's ladder of drop rates."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.linspace:
            kwargs.setdefault("device", "cpu")
        return function(*args, **kwargs)


@contextmanager
def weightless() -> Iterator[None]:
    """Let what is built inside have shapes only; weights must be ``random``, for nothing can be loaded."""
    for registry in (META_ARCH, CLIP, SAM, PIXEL_DECODER, TRANSFORMER_DECODER):
        registry.names()  # imports its modules now: libraries compute with values while they are imported
    with torch.device("meta"), _ValuesOnCPU():
        yield
