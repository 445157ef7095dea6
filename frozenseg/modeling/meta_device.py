"""Construction of full-size models on PyTorch's meta device: shapes without values, in seconds and without memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode

from frozenseg.registry import CLIP, META_ARCH, PIXEL_DECODER, SAM, TRANSFORMER_DECODER


class _ValuesOnCPU(TorchFunctionMode):
    """Keeps calls on the CPU if constructors read their values, such as timm's list of drop rates."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if function is torch.linspace:
            kwargs.setdefault("device", "cpu")
        return function(*args, **kwargs)


@contextmanager
def on_meta_device() -> Iterator[None]:
    """Build models without values inside the block; their weights must be ``random``, as nothing can be loaded."""
    for registry in (META_ARCH, CLIP, SAM, PIXEL_DECODER, TRANSFORMER_DECODER):
        registry.names()  # imports the modules now: some libraries compute with values while they are imported
    with torch.device("meta"), _ValuesOnCPU():
        yield
