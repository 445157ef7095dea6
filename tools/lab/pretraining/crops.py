"""Random crops of scenes, each with a sentence that describes it.

Letters: B crops, S crop size in pixels.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import roi_align

from lab.pretraining.scene_pool import ScenePool
from lab.pretraining.sentences import PARTS, WHOLE, describe, true_of

PARTS_OF_STEPS = (0.5, 0.25, 0.1, 0.15)  # shares of steps by the part of PARTS in their sentences
KINDS = (0.7, 0.15, 0.15)  # shares of things, materials and scenes among the crops of steps with whole names
ONE_COLOUR = 0.5  # share of these steps in which all things have the same colour
MARGIN = (1.0, 1.35)  # size of a thing's crop, as a multiple of the longer side of its box
SHIFT = 0.3  # largest offset from the centre, as a share of the free space around the thing
SAMPLES = 2  # sampling points per axis and pixel of a crop


class Crops(NamedTuple):
    """Crops and their sentences.

    Attributes:
        images: (B, 3, S, S) float32, 0-255 RGB.
        sentences: B of them.
        true: (B, B) bool, crops × sentences: True if the sentence is true of the crop.
    """

    images: Tensor
    sentences: tuple[str, ...]
    true: Tensor


def draw_crops(rng: np.random.Generator, pool: ScenePool, count: int, size: int) -> Crops:
    """Draw random crops of things, materials and scenes, half of them mirrored.

    In some steps all sentences name only shapes, colours or patterns, and in some all things have the same colour.
    Without such steps the model learns colours quickly and shapes hardly at all.

    Args:
        rng: random generator of the step.
        pool: training scenes.
        count: B.
        size: S in pixels.
    """
    part = PARTS[rng.choice(len(PARTS), p=PARTS_OF_STEPS)]
    kinds = rng.choice(len(KINDS), size=count, p=KINDS) if part == WHOLE else np.zeros(count, dtype=int)
    colours = list(pool.things)
    if part == WHOLE and rng.random() < ONE_COLOUR:
        colours = [colours[rng.integers(len(colours))]]
    views = []
    for kind in kinds:
        things = pool.things[colours[rng.integers(len(colours))]]
        views_of_kind = (things, pool.materials, pool.scenes)[kind]
        views.append(views_of_kind[rng.integers(len(views_of_kind))])
    boxes = [
        _around(rng, view.box, pool.images.shape[-2:]) if kind == 0 else view.box
        for kind, view in zip(kinds, views, strict=True)
    ]
    images = cut(pool.images, [view.scene for view in views], boxes, size)
    flipped = torch.from_numpy(rng.random(count) < 0.5)
    images[flipped] = images[flipped].flip(-1)
    visible = [view.visible for view in views]
    sentences = [describe(rng, categories, part) for categories in visible]
    return Crops(images, tuple(sentence.text for sentence in sentences), true_of(visible, sentences))


def cut(images: Tensor, scenes: Sequence[int], boxes: Sequence[Sequence[float]], size: int) -> Tensor:
    """Crop boxes from images and resize them to one size, bilinearly.

    Args:
        images: (N, 3, H, W) uint8.
        scenes: image index of each box.
        boxes: x0, y0, x1, y1 in pixels.
        size: S in pixels.

    Returns:
        (B, 3, S, S) float32, 0-255.
    """
    chosen = images[torch.tensor(scenes)].float()  # (B, 3, H, W)
    return roi_align(
        chosen, [torch.tensor([box], dtype=torch.float32) for box in boxes], size, sampling_ratio=SAMPLES, aligned=True
    )


def square_around(box: Sequence[float], factor: float) -> tuple[float, float, float, float]:
    """Return the square around the centre of a box, with a multiple of its longer side."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = factor * max(box[2] - box[0], box[3] - box[1]) / 2
    return x - half, y - half, x + half, y + half


def _around(rng: np.random.Generator, box: Sequence[float], size: Sequence[int]) -> tuple[float, float, float, float]:
    """Return a randomly shifted square around a thing, inside the image if it fits."""
    x0, y0, x1, y1 = square_around(box, rng.uniform(*MARGIN))
    side = x1 - x0
    free = max(0.0, side - max(box[2] - box[0], box[3] - box[1]))
    x0, y0 = x0 + rng.uniform(-SHIFT, SHIFT) * free, y0 + rng.uniform(-SHIFT, SHIFT) * free
    x0, y0 = float(np.clip(x0, 0, max(0, size[1] - side))), float(np.clip(y0, 0, max(0, size[0] - side)))
    return x0, y0, x0 + side, y0 + side
