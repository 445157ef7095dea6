"""Construction of models whose weights are loaded afterwards, without the random values that take seconds to draw."""

from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode


class WithoutInitialisation(TorchFunctionMode):
    """Context manager in which random initialisers leave tensors as they are; values that are not random are set.

    Every parameter must be loaded before it is read: its memory has any content.
    """

    SKIPPED = frozenset(
        {
            "normal_",
            "uniform_",
            "trunc_normal_",
            "erfinv_",  # the second step of trunc_normal_
            "kaiming_normal_",
            "kaiming_uniform_",
            "xavier_normal_",
            "xavier_uniform_",
        }
    )

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Return the tensor of an initialiser unchanged; call every other function."""
        kwargs = kwargs or {}
        tensor = args[0] if args else kwargs.get("tensor")  # torch.nn.init passes all by name
        if getattr(function, "__name__", "") in self.SKIPPED and isinstance(tensor, Tensor):
            return tensor
        return function(*args, **kwargs)
