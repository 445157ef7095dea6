"""Limits of ToyWorld's CLIP: accuracy on things by the size of the input and of the thing, and the words it confuses.

Letters: N things, E embedding width, H×W image size.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.log import progress
from frozenseg.modeling.clip.base import POOLING_STRIDE, FrozenCLIP
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.toyworld.categories import Category, all_categories
from frozenseg.toyworld.scenes import Scene
from lab.pretraining.clip import encode_images
from lab.pretraining.crops import cut, square_around
from lab.pretraining.scores import CROP, DENSE, MARGIN, box_of, pooled, region_masks

CROP_SIZES = (48, CROP, 96, 128)  # pixels
SCENE_SIZES = (192, DENSE, 320, 384, 512)  # pixels
FINER_STRIDES = (16, 8)  # of the feature map that is pooled, pixels
WORDS = ("colour", "pattern", "shape")
Encode = Callable[[FrozenCLIP, Tensor, Tensor], Tensor]
Row = tuple[str, ...]


@torch.no_grad()
def size_rows(clip: FrozenCLIP, scenes: Sequence[Scene]) -> list[Row]:
    """Return the accuracy on things for each size of the input, and its most frequent errors, as rows of a table."""
    categories = all_categories()
    text_embeddings = TextClassifier(clip).embed(tuple(category.name for category in categories))  # (C, E)
    inputs: list[tuple[str, int, Encode]] = [("crop", size, partial(_crops, size=size)) for size in CROP_SIZES]
    inputs += [("scene", size, partial(pooled, size=size)) for size in SCENE_SIZES]
    inputs += [(f"scene, stride {stride}", DENSE, partial(_finer, stride=stride)) for stride in FINER_STRIDES]
    rows: list[Row] = []
    for kind, size, encode in inputs:
        hits, areas, errors = [], [], Counter[str]()
        for scene in progress(scenes, f"{kind}s of {size} pixels"):
            things = [segment for segment in scene.segments if segment.category.isthing]
            if not things:
                continue
            masks = region_masks(scene)[[segment.category.isthing for segment in scene.segments]]  # (N, H, W)
            image = torch.from_numpy(scene.image).permute(2, 0, 1).contiguous()
            named = (F.normalize(encode(clip, image, masks), dim=-1) @ text_embeddings.T).argmax(dim=-1)
            for segment, index, mask in zip(things, named.tolist(), masks, strict=True):
                hits.append(categories[index] == segment.category)
                areas.append(int(mask.sum()))
                if not hits[-1]:
                    errors[_confused(segment.category, categories[index])] += 1
        rows.append((kind, str(size), *_accuracies(np.array(hits), np.array(areas)), _most_frequent(errors)))
    return rows


def _crops(clip: FrozenCLIP, image: Tensor, masks: Tensor, size: int) -> Tensor:
    """Return CLIP's embeddings (N, E) of tight crops of things."""
    boxes = [square_around(box_of(mask), MARGIN) for mask in masks]
    return encode_images(clip.clip_model, cut(image[None], [0] * len(boxes), boxes, size))


def _finer(clip: FrozenCLIP, image: Tensor, masks: Tensor, stride: int) -> Tensor:
    """Return CLIP's embeddings (N, E) of regions, pooled from a finer feature map of the scene."""
    clip.set_pooling_stride(stride)
    try:
        return pooled(clip, image, masks)
    finally:
        clip.set_pooling_stride(POOLING_STRIDE)


def _confused(true: Category, named: Category) -> str:
    """Return the words that differ, or "material"."""
    if not named.isthing:
        return "material"
    return " and ".join(word for word in WORDS if true.parts[word] != named.parts[word])


def _accuracies(hits: np.ndarray, areas: np.ndarray) -> tuple[str, str, str]:
    """Return the accuracy on all things, on the smaller half and on the larger half, in percent."""
    is_small = areas < np.median(areas)
    return tuple(  # type: ignore[return-value]  # three of them
        f"{100 * float(np.mean(part)):.1f}" if len(part) else "–" for part in (hits, hits[is_small], hits[~is_small])
    )


def _most_frequent(errors: Counter[str]) -> str:
    total = errors.total()
    return ", ".join(f"{names} {100 * count / total:.0f} %" for names, count in errors.most_common(3))
