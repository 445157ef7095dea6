"""Random scenes with a sentence per region, for feature maps that FrozenSeg pools under masks.

Letters: B scenes, N largest number of regions of a scene, R regions of all scenes, M sentences, S image size in pixels,
H×W image size of the scene pool.
"""

from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from lab.pretraining.scene_pool import ScenePool, flipped
from lab.pretraining.sentences import PARTS, WHOLE, describe, true_of, with_one_word_changed

PARTS_OF_STEPS = (0.5, 0.4, 0.03, 0.07)  # shares of steps by the part of PARTS in their sentences


class Regions(NamedTuple):
    """Scenes, regions and sentences.

    Attributes:
        images: (B, 3, S, S) float32, 0-255 RGB.
        masks: (B, N, H, W) bool, padded with empty masks.
        present: (B, N) bool, False for padding; R are True.
        sentences: M sentences: one per region, then one per thing with one word changed.
        true: (R, M) bool, True if the sentence is true of the region.
    """

    images: Tensor
    masks: Tensor
    present: Tensor
    sentences: tuple[str, ...]
    true: Tensor


def draw_regions(rng: np.random.Generator, pool: ScenePool, count: int, size: int) -> Regions:
    """Draw random scenes, mirrored at random, with all their regions.

    In some steps all sentences name only shapes, colours or patterns of things, as in
    :func:`lab.pretraining.crops.draw_crops`. Sentences with one word changed prevent the model from using colour alone.

    Args:
        rng: random generator of the step.
        pool: training scenes.
        count: B.
        size: S in pixels.
    """
    part = PARTS[rng.choice(len(PARTS), p=PARTS_OF_STEPS)]
    images, masks, visible = [], [], []
    for scene in rng.integers(len(pool.images), size=count):
        image, layers = flipped(rng, pool.images[scene], pool.layers[scene])
        numbers = [n for n, category in enumerate(pool.segments[scene]) if category.isthing or part == WHOLE]
        images.append(image)
        masks.append(torch.stack([layers == number for number in numbers]))
        visible += [(pool.segments[scene][number],) for number in numbers]
    padded = torch.nn.utils.rnn.pad_sequence(masks, batch_first=True)  # (B, N, H, W)
    present = torch.arange(padded.shape[1]) < torch.tensor([len(mask) for mask in masks])[:, None]
    hard_negatives = [(with_one_word_changed(rng, category),) for (category,) in visible if category.isthing]
    sentences = [describe(rng, categories, part) for categories in [*visible, *hard_negatives]]
    resized = F.interpolate(torch.stack(images).float(), size=(size, size), mode="bilinear", align_corners=False)
    return Regions(
        resized, padded, present, tuple(sentence.text for sentence in sentences), true_of(visible, sentences)
    )
