"""The one file here that knows torch: the model in float64, its weights as arrays, and random numbers by shape."""

import math
import re
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

LEARNED_VECTORS = (
    *("query_feat.weight", "query_embed.weight", "level_embed.weight", "level_embed", "void_embedding.weight"),
    *("token_embedding.weight", "positional_embedding", "pos_embed"),
)
GAINS = (
    (r"clip_model\.transformer\..*in_proj_weight$", 4.0),  # the end token looks at words, not at all alike
    (r"predictor\.transformer_.*(out_proj|linear2)\.weight$", 0.4),  # queries stay different from each other
)
TIGHT = 1e-9  # both sides compute in float64: what is left is the order of sums


class InFloat64(TorchFunctionMode):
    """Runs code that asks for float32 in float64, and draws random numbers that depend on their shape alone."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Widen ``.float()`` and ``dtype=torch.float32``; answer ``torch.rand`` by :func:`draw`."""
        kwargs = dict(kwargs or {})
        if function is Tensor.float:
            return args[0].double()
        if function is torch.rand:
            return torch.from_numpy(draw(*(args[0] if isinstance(args[0], tuple) else args)))
        if kwargs.get("dtype") is torch.float32:
            kwargs["dtype"] = torch.float64
        return function(*args, **kwargs)


@contextmanager
def float64() -> Iterator[None]:
    """Compute in float64, without gradients."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad(), InFloat64():
            yield
    finally:
        torch.set_default_dtype(before)


def single_thread() -> Iterator[None]:
    """Compute in one thread while a test runs: the maps are too small to share."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def draw(*shape: int) -> np.ndarray:
    """Return uniform numbers in 0 … 1, the same for the same shape."""
    return np.random.default_rng(list(shape)).random(shape)


def normal(seed: int, *shape: int) -> np.ndarray:
    """Return normal numbers, the same for the same seed and shape."""
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def value_for(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Return numbers that keep a network alive: neither equal queries nor saturated scores nor zero attention."""
    numbers = normal(seed + zlib.crc32(name.encode()), *shape)
    if name.endswith("logit_scale"):
        return np.full(shape, 4.7 if "clip_model" in name else 3.0)  # e^4.7 = 110: CLIP's is capped
    if name.endswith("sampling_offsets.bias"):
        return 2 * numbers  # pixels
    if name.endswith("bias"):
        return 0.1 * numbers
    if len(shape) == 1:
        return 1 + 0.2 * numbers
    if name.endswith(LEARNED_VECTORS):
        return numbers
    return next((gain for pattern, gain in GAINS if re.search(pattern, name)), 1.0) * _matrix(numbers)


def _matrix(numbers: np.ndarray) -> np.ndarray:
    """Scale by the inputs of an output, and take the mean away that ReLU's positive mean would feed on."""
    centred = numbers - numbers.mean(axis=1, keepdims=True) if numbers.shape[1] > 3 else numbers
    return centred / math.sqrt(numbers[0].size)


def filled(module: nn.Module, seed: int = 0) -> nn.Module:
    """Return the module in float64 and eval mode, every parameter overwritten by its name."""
    module.double().eval()
    with torch.no_grad():
        for name, value in module.named_parameters():
            value.copy_(torch.from_numpy(value_for(name, tuple(value.shape), seed)))
    return module


def arrays(module: nn.Module) -> dict[str, np.ndarray]:
    """Return the state dict as NumPy arrays."""
    return {name: value.numpy() for name, value in module.state_dict().items()}


def tensor(array: np.ndarray) -> Tensor:
    """Return an array as a tensor of the same dtype."""
    return torch.from_numpy(np.ascontiguousarray(array))


def tensors(several: Iterable[np.ndarray]) -> list[Tensor]:
    """Return arrays as tensors."""
    return [tensor(one) for one in several]


def agree(actual: Tensor, expected: np.ndarray, tolerance: float = TIGHT) -> None:
    """Compare the model's tensor with the formula's array: ``tolerance`` times the array's deviation, and its shape."""
    assert tuple(actual.shape) == expected.shape
    assert np.isfinite(expected).all()
    difference = np.abs(actual.detach().numpy() - expected).max(initial=0.0)
    assert difference <= tolerance * max(expected.std(), 1.0), f"differs by {difference:.3g}"
