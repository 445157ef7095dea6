"""How much memory a training will take: foretold before its first step from small ones, and compared with what it took.

What a step holds at its most grows by the same amount with every image, and with every pixel of an image; small steps
of made-up images tell these amounts, counted tensor by tensor, so that the device does not matter.
"""

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from frozenseg.engine.checkpoints.random_states import undisturbed_random_states
from frozenseg.engine.peak_memory import peak_since, start_measuring
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook
from frozenseg.errors import ConfigError
from frozenseg.log import get_logger
from frozenseg.structures.instances import Instances

if TYPE_CHECKING:
    from frozenseg.engine.training.trainer import Trainer

logger = get_logger(__name__)
MIB = 2**20
STRIDE = 32  # of the coarsest map: small images have sides that are multiples of it
MASKS = 10  # of a made-up image
STATES = {"AdamW": 2, "SGD": 1}  # numbers that an optimiser keeps for each parameter


class Images(NamedTuple):
    """Images that a process works on at once."""

    count: int
    side: int  # pixels


class Needed(NamedTuple):
    """Bytes beside what is held before the first step."""

    activations: int  # the most of all that comes and goes in a step: kept for the backward pass, or passing
    gradients: int
    states: int  # of the optimiser

    def __str__(self) -> str:
        """Say it in MiB."""
        return ", ".join(f"{name} {value / MIB:.0f}" for name, value in self._asdict().items())


def forecast(model: nn.Module, images: Images, optimizer: torch.optim.Optimizer, precision: Precision) -> Needed:
    """Foretell what training takes, beside the weights.

    All processes must call it together. Random generators, weights and gradients are left as they are.

    Args:
        model: on its device, in training mode, without gradients, not wrapped.
        images: of a step, or of the parts that it has.
        optimizer: AdamW or SGD.
        precision: of the forward pass.
    """
    small, medium = (_rounded(images.side * share) for share in (0.5, 0.75))
    with undisturbed_random_states():
        with torch.no_grad(), precision.autocast():
            model(
                [_image(small)]
            )  # what happens only once: words are encoded, frozen weights brought to their precision
        one, larger = (_step_peaks(model, Images(1, side), precision) for side in (small, medium))
    model.criterion.statistics.take()
    by_pixel = (larger - one) / max(medium**2 - small**2, 1)
    trained = sum(value.numel() * value.element_size() for value in model.parameters() if value.requires_grad)
    by_image = one - [0, trained] + by_pixel * (images.side**2 - small**2)  # forward, backward
    states = STATES.get(type(optimizer).__name__, 2)
    return Needed(round(images.count * by_image.max()), trained, states * trained)


class MemoryReport(Hook):
    """Tells before the first step what training will take, and after the second what it took.

    Args:
        forecast: returns what is needed; called on all processes.
        device: whose memory is meant.
    """

    def __init__(self, forecast: Callable[[], Needed], device: torch.device) -> None:
        self.forecast, self.device = forecast, device
        self._started, self._foreseen = 0, 0

    def before_train(self, trainer: "Trainer") -> None:
        """Foretell."""
        needed = self.forecast()
        try:
            held = start_measuring(self.device)
        except ConfigError:
            logger.info("Memory that training takes beside the model: %s MiB.", needed)
            return
        self._started, self._foreseen = trainer.iteration, held + sum(needed)
        logger.info("Memory: %.0f MiB at most (now %.0f; %s).", self._foreseen / MIB, held / MIB, needed)

    def after_step(self, trainer: "Trainer") -> None:
        """Compare: the optimiser's states are there from the second step on."""
        if self._foreseen and trainer.iteration == min(self._started + 2, trainer.max_iter):
            took = peak_since(self.device)
            off = 100 * (self._foreseen - took) / took
            logger.info("Memory: the first steps took %.0f MiB (foretold: %+.0f %%).", took / MIB, off)


class _LiveTensors(TorchDispatchMode):
    """Counts the bytes of all tensors that are made in the block and still there, and the most that were at once."""

    def __init__(self) -> None:
        super().__init__()
        self.live, self.peak = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and look at what it returns."""
        del types
        result = func(*args, **(kwargs or {}))
        given = {id(storage) for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if id(storage) not in given and id(storage) not in self._known:
                self._count(storage)
        return result

    def _count(self, storage: torch.UntypedStorage) -> None:
        key, size = id(storage), storage.nbytes()
        self._known.add(key)
        weakref.finalize(storage, self._forget, key, size)
        self.live += size
        self.peak = max(self.peak, self.live)

    def _forget(self, key: int, size: int) -> None:
        self._known.discard(key)
        self.live -= size


def _storages(values: Any) -> list[torch.UntypedStorage]:
    return [leaf.untyped_storage() for leaf in tree_leaves(values) if isinstance(leaf, Tensor)]


def _step_peaks(model: nn.Module, images: Images, precision: Precision) -> np.ndarray:
    """Return the most bytes that a step of made-up images has at once, forward and backward, (2,)."""
    batch = [_image(images.side) for _ in range(images.count)]
    with _LiveTensors() as tensors:
        with precision.autocast():
            total = torch.stack(list(model(batch).values())).sum()
        forward, tensors.peak = tensors.peak, 0
        total.backward()
    model.zero_grad(set_to_none=True)
    return np.array([forward, tensors.peak], dtype=float)


def _image(side: int) -> dict[str, Any]:
    """Return an image of noise; each of its masks is a column."""
    owner = torch.arange(side) * MASKS // side
    masks = (owner == torch.arange(MASKS)[:, None])[:, None].expand(-1, side, -1)  # (n, S, S)
    return {
        "image": torch.randint(0, 256, (3, side, side), dtype=torch.uint8),
        "height": side,
        "width": side,
        "instances": Instances((side, side), gt_classes=torch.zeros(MASKS, dtype=torch.int64), gt_masks=masks),
    }


def _rounded(side: float) -> int:
    return max(STRIDE, round(side / STRIDE) * STRIDE)
