"""Forecast of the memory that training needs, extrapolated from two small training steps.

The peak of a step grows linearly with the number of images and with the pixels of an image. Two steps on small random
images give both slopes. The bytes are counted tensor by tensor, so that the result does not depend on the device.
"""

import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from frozenseg.config import CfgNode
from frozenseg.data.batch_plan import BatchPlan
from frozenseg.device import pick_device
from frozenseg.engine.checkpoints.random_states import preserved_random_states
from frozenseg.engine.training.optimizer import build_optimizer
from frozenseg.engine.training.precision import Precision
from frozenseg.modeling.build import build_model
from frozenseg.modeling.meta_arch.base import MaskClassifier
from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary

COARSEST_STRIDE = 32  # the sides of the small images are multiples of it
MASKS_PER_IMAGE = 10
STATES_PER_PARAMETER = {"AdamW": 2, "SGD": 1}


class ImagesAtOnce(NamedTuple):
    """Square images that a process holds in memory together."""

    number: int
    side: int  # pixels


class TrainingMemory(NamedTuple):
    """Memory of training in bytes."""

    weights: int  # parameters and buffers, trained and frozen
    activations: int  # peak of a step: tensors kept for the backward pass and temporary ones
    gradients: int
    optimizer_states: int


def forecast_training_memory(cfg: CfgNode, vocabulary: Vocabulary) -> TrainingMemory:
    """Build the model of a config and forecast the memory of training it, for each process.

    Args:
        cfg: reads MODEL, SOLVER and INPUT.IMAGE_SIZE.
        vocabulary: training vocabulary.
    """
    device = pick_device(cfg.MODEL.DEVICE)
    model = build_model(cfg, vocabulary).train().to(device)
    plan = BatchPlan.from_config(cfg)
    images = ImagesAtOnce(plan.share // plan.parts, cfg.INPUT.IMAGE_SIZE)
    return forecast(model, images, build_optimizer(cfg, model), Precision.from_config(cfg, device))


def forecast(
    model: MaskClassifier, images: ImagesAtOnce, optimizer: torch.optim.Optimizer, precision: Precision
) -> TrainingMemory:
    """Forecast the memory of training steps; random states, weights and gradients stay unchanged.

    Args:
        model: on its device, in training mode, without gradients, not wrapped for data parallelism.
        images: of a step, or of one of the parts that a step is split into.
        optimizer: AdamW or SGD.
        precision: of the forward pass.
    """
    small, medium = (_round_to_stride(images.side * share) for share in (0.5, 0.75))
    with preserved_random_states():
        with torch.no_grad(), precision.autocast():
            # Work that is done only once: encode the class names, convert frozen weights to their precision.
            model([_random_image(small)])
        peaks_small, peaks_medium = (_step_peaks(model, ImagesAtOnce(1, side), precision) for side in (small, medium))
    model.criterion.statistics.take()
    per_pixel = (peaks_medium - peaks_small) / max(medium**2 - small**2, 1)
    gradients = _bytes(value for value in model.parameters() if value.requires_grad)
    per_image = peaks_small - [0, gradients] + per_pixel * (images.side**2 - small**2)  # forward, backward
    return TrainingMemory(
        weights=_bytes([*model.parameters(), *model.buffers()]),
        activations=round(images.number * per_image.max()),
        gradients=gradients,
        optimizer_states=STATES_PER_PARAMETER.get(type(optimizer).__name__, 2) * gradients,
    )


class _LiveTensors(TorchDispatchMode):
    """Counts the bytes of the tensors that are created in the block and still exist, and their peak."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch's class has no annotations
        self.live, self.peak = 0, 0
        self._known: set[int] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operation and count the storages that it creates."""
        del types
        result = func(*args, **(kwargs or {}))
        inputs = {id(storage) for storage in _storages((args, kwargs))}
        for storage in _storages(result):
            if id(storage) not in inputs and id(storage) not in self._known:
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


def _step_peaks(model: MaskClassifier, images: ImagesAtOnce, precision: Precision) -> np.ndarray:
    """Return the peak bytes of a step on random images, forward and backward, (2,)."""
    batch = [_random_image(images.side) for _ in range(images.number)]
    with _LiveTensors() as tensors:
        with precision.autocast():
            total = torch.stack(list(model(batch).values())).sum()
        forward, tensors.peak = tensors.peak, 0
        torch.autograd.backward(total)
    model.zero_grad(set_to_none=True)
    return np.array([forward, tensors.peak], dtype=float)


def _random_image(side: int) -> dict[str, Any]:
    """Return an image of noise, of which each mask is a vertical stripe."""
    stripe = torch.arange(side) * MASKS_PER_IMAGE // side
    masks = (stripe == torch.arange(MASKS_PER_IMAGE)[:, None])[:, None].expand(-1, side, -1)  # (n, S, S)
    labels = torch.zeros(MASKS_PER_IMAGE, dtype=torch.int64)
    return {
        "image": torch.randint(0, 256, (3, side, side), dtype=torch.uint8),
        "height": side,
        "width": side,
        "instances": Instances((side, side), gt_classes=labels, gt_masks=masks),
    }


def _bytes(tensors: Iterable[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def _round_to_stride(side: float) -> int:
    return max(COARSEST_STRIDE, round(side / COARSEST_STRIDE) * COARSEST_STRIDE)
