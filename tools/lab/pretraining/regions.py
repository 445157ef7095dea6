"""Whole scenes, and a sentence about each of their regions: what CLIP's map must name when FrozenSeg pools from it.

Letters: B scenes, N regions of the scene that has most, R regions of all scenes, M sentences, S pixels a side, H×W the
pool's pictures.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.pretraining.scene_pool import ScenePool, flipped
from lab.pretraining.sentences import PARTS, WHOLE, describe, other_in_one_word, true_of

PARTS_OF_STEPS = (0.5, 0.4, 0.03, 0.07)  # shares of steps whose sentences are about whole things, shapes, …


class Regions(NamedTuple):
    """Scenes, their regions, and sentences.

    Attributes:
        images: (B, 3, S, S) float32, 0-255 RGB.
        masks: (B, N, H, W) bool; scenes with fewer regions have empty masks at the end.
        present: (B, N) bool, which masks are regions; R of them.
        sentences: M of them: one about each region, then as many that a thing's words almost fit.
        true: (R, M) bool: which sentences are true of which regions.
    """

    images: Tensor
    masks: Tensor
    present: Tensor
    sentences: tuple[str, ...]
    true: Tensor


def draw_regions(rng: np.random.Generator, pool: ScenePool, count: int, size: int) -> Regions:
    """Draw scenes, mirrored at random, with all their regions.

    In some steps all sentences are about shapes, or colours, or patterns of things, as in
    :func:`lab.pretraining.crops.draw_crops`. Sentences that are wrong in one word keep the others from being
    learned by colour alone.

    Args:
        rng: the step's generator.
        pool: scenes.
        count: B.
        size: S in pixels.
    """
    part = PARTS[rng.choice(len(PARTS), p=PARTS_OF_STEPS)]
    images, masks, shown = [], [], []
    for scene in rng.integers(len(pool.images), size=count):
        image, layers = flipped(rng, pool.images[scene], pool.layers[scene])
        numbers = [n for n, category in enumerate(pool.segments[scene]) if category.isthing or part == WHOLE]
        images.append(image)
        masks.append(torch.stack([layers == number for number in numbers]))
        shown += [(pool.segments[scene][number],) for number in numbers]
    padded = torch.nn.utils.rnn.pad_sequence(masks, batch_first=True)  # (B, N, H, W)
    present = torch.arange(padded.shape[1]) < torch.tensor([len(mask) for mask in masks])[:, None]
    almost = [(other_in_one_word(rng, category),) for (category,) in shown if category.isthing]
    sentences = [describe(rng, categories, part) for categories in [*shown, *almost]]
    resized = F.interpolate(torch.stack(images).float(), size=(size, size), mode="bilinear", align_corners=False)
    return Regions(resized, padded, present, tuple(sentence.text for sentence in sentences), true_of(shown, sentences))
