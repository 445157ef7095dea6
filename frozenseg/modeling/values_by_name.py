"""Initial values that depend on the seed and on the name of a parameter, and not on the other parts of the model.

Initialisers draw from one generator in the order in which a model is built, so that an additional part changes the
values of all parts that are built after it. For paired comparisons a model is built twice: the first time to assign
every draw to a parameter, the second time with a generator that is seeded before every draw.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

M = TypeVar("M", bound=nn.Module)
DRAWS = frozenset(
    {
        "normal_", "uniform_", "log_normal_", "exponential_", "cauchy_", "random_", "bernoulli_", "trunc_normal_",
        "kaiming_normal_", "kaiming_uniform_", "xavier_normal_", "xavier_uniform_", "rand", "randn", "randint",
    }
)  # fmt: skip


def build_with_values_by_name(build: Callable[[], M], seed: int) -> M:
    """Build a model in which a trained parameter of some name and shape has the same values as in any other model.

    Values that are not drawn at random, and those of frozen parameters, are as without this function.

    Args:
        build: builds the model; it is called twice and must draw the same values in the same order both times.
        seed: of the values.
    """
    recorded = _RecordedDraws()
    with torch.random.fork_rng(devices=[]):
        with recorded:
            model = build()
        with _SeededDraws(_seeds(recorded.parameter_names(model), seed)):
            return build()


class _Draws(TorchFunctionMode):
    """Context manager that counts the random initialisers."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call a function; around initialisers also :meth:`before` and :meth:`after`."""
        kwargs = kwargs or {}
        if getattr(function, "__name__", "") not in DRAWS:
            return function(*args, **kwargs)
        self.before(self.count)
        result = function(*args, **kwargs)
        self.after(result)
        self.count += 1
        return result

    def before(self, index: int) -> None:
        """Run before the initialiser of an index."""

    def after(self, result: Any) -> None:
        """Run after an initialiser."""


class _RecordedDraws(_Draws):
    """Keeps the tensor of every draw, so that no other tensor can have its memory."""

    def __init__(self) -> None:
        super().__init__()
        self._tensors: list[Tensor] = []

    def after(self, result: Any) -> None:
        """Keep the tensor."""
        self._tensors.append(result)

    def parameter_names(self, model: nn.Module) -> list[str | None]:
        """Return the name of the trained parameter that each draw belongs to; None for other tensors."""
        trained = {_memory(value): name for name, value in model.named_parameters() if value.requires_grad}
        return [trained.get(_memory(tensor)) for tensor in self._tensors]


class _SeededDraws(_Draws):
    """Seeds the generator before every draw that has a seed."""

    def __init__(self, seeds: Sequence[int | None]) -> None:
        super().__init__()
        self._seeds = seeds

    def before(self, index: int) -> None:
        """Seed the generator."""
        seed = self._seeds[index]
        if seed is not None:
            torch.default_generator.manual_seed(seed)


def _memory(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


def _seeds(names: Sequence[str | None], seed: int) -> list[int | None]:
    """Return a seed for each draw from its parameter's name and its number among the draws of this parameter."""
    earlier: Counter[str] = Counter()
    seeds: list[int | None] = []
    for name in names:
        if name is None:
            seeds.append(None)
            continue
        text = f"{seed} {name} {earlier[name]}"
        seeds.append(int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big"))
        earlier[name] += 1
    return seeds
