"""Names of weights in files of other programs: containers around the weights, and wrapper modules in the names."""

from collections import Counter
from collections.abc import Mapping
from typing import Any, NamedTuple

from torch import Tensor

from frozenseg.safe_pickle import PickledArray

# keys of containers, the first one is preferred; those with "ema" are averages over the training steps
CONTAINERS = ("model", "state_dict", "model_state_dict", "module", "model_ema", "state_dict_ema", "ema_model", "ema")
# modules that torch.compile, data parallelism, FSDP, activation checkpoints and AveragedModel put around others
WRAPPERS = {"_orig_mod", "module", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"}
OUTER = ("model.", "ema_model.")  # of all names if the model is an attribute of the trained module, as in Lightning
MAX_DEPTH = 4  # of containers inside each other


class Contained(NamedTuple):
    """Weights and the container that holds them.

    Attributes:
        state: content of the container.
        container: keys from the outermost, such as ``model.state_dict``; empty for bare weights.
        others: other containers beside it.
    """

    state: Mapping[Any, Any]
    container: str
    others: tuple[str, ...]


def find_weights(content: Any) -> Contained:
    """Return the weights of a file: its content, or that of the first of ``CONTAINERS`` in it, however deep.

    Args:
        content: of a file; anything but a dictionary has no weights.
    """
    state: Mapping[Any, Any] = content if isinstance(content, Mapping) else {}
    path: list[str] = []
    others: tuple[str, ...] = ()
    for depth in range(MAX_DEPTH):
        inner = [name for name in CONTAINERS if isinstance(state.get(name), Mapping) and state[name]]
        if not inner or (depth and any(isinstance(value, (Tensor, PickledArray)) for value in state.values())):
            break
        state, others = state[inner[0]], others or tuple(inner[1:])
        path.append(inner[0])
    return Contained(state, ".".join(path), others)


def plain_names(names: list[str]) -> dict[str, str]:
    """Return names of weights → the names without wrapper modules.

    Wrapper modules are removed wherever they occur, in any number: no module of this library has such a name. Outer
    prefixes are removed if all names have them.
    """
    plain = {name: ".".join(part for part in name.split(".") if part not in WRAPPERS) for name in names}
    while outer := next((prefix for prefix in OUTER if all(name.startswith(prefix) for name in plain.values())), None):
        plain = {name: short.removeprefix(outer) for name, short in plain.items()}
    return plain


def repeated_name(plain: Mapping[str, str]) -> str | None:
    """Return a name that several weights have without their wrapper modules, or None."""
    return next((name for name, count in Counter(plain.values()).items() if count > 1), None)
