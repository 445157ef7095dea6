"""Baselines on ToyWorld that need no training: controls for trained models.

``majority`` predicts one material everywhere. ``colour`` knows the renderer's colours and materials and predicts a
thing for each connected component of a thing colour. ``outline`` also knows the outlines of the shapes and compares
profiles of distances from the centre.

Letters: H×W image size.
"""

import colorsys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import nn

from frozenseg.data.images import read_image
from frozenseg.errors import ConfigError
from frozenseg.toyworld.categories import COLOURS, Category, all_categories
from frozenseg.toyworld.shapes import OUTLINES
from frozenseg.toyworld.textures import MATERIAL_TEXTURES

SMOOTHING, VOTING = 3, 9  # window sizes in pixels: blur before colours are compared, vote among materials
SMALLEST_THING, LARGEST_THING = 0.004, 0.12  # areas as shares of the image
BINS = 8  # of the distance profile
_SAMPLE_SIZE = 128  # height and width in pixels of the rendered outlines and materials
_EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


class PredictedRegion(NamedTuple):
    """A predicted segment."""

    mask: np.ndarray  # (H, W) bool
    category: Category


def majority_regions(image: np.ndarray, categories: Sequence[Category]) -> list[PredictedRegion]:
    """Return one region, the whole image, as the first material of the list.

    Args:
        image: (H, W, 3) uint8 RGB.
        categories: the vocabulary.
    """
    material = next(category for category in categories if not category.isthing)
    return [PredictedRegion(np.ones(image.shape[:2], dtype=bool), material)]


def colour_regions(image: np.ndarray, categories: Sequence[Category], outlines: bool = False) -> list[PredictedRegion]:
    """Return things from connected components of a colour, and the ground by the nearest mean colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        categories: the vocabulary. Patterns are not recognised: a thing is the first category of its colour or, with
            ``outlines``, of its colour and shape, plain rather than patterned.
        outlines: True to choose a thing's shape by its outline.
    """
    colours = list(dict.fromkeys(category.parts["colour"] for category in categories if category.isthing))
    materials = [category for category in categories if not category.isthing]
    paints = [_rgb(colour) for colour in colours] + [_mean_colour(category.parts["material"]) for category in materials]
    smooth = ndimage.uniform_filter(image.astype(np.float32) / 255, (SMOOTHING, SMOOTHING, 1))
    nearest = np.stack([np.square(smooth - paint).sum(axis=-1) for paint in paints])  # (colours + materials, H, W)
    label = nearest.argmin(axis=0)
    things = [
        PredictedRegion(mask, _thing(mask, colour, categories, outlines))
        for index, colour in enumerate(colours)
        for mask in connected(label == index)
    ]
    occupied = np.any([thing.mask for thing in things], axis=0) if things else np.zeros(label.shape, dtype=bool)
    votes = np.stack(
        [ndimage.uniform_filter((label == len(colours) + i).astype(np.float32), VOTING) for i in range(len(materials))]
    )
    ground = votes.argmax(axis=0)
    grounds = [PredictedRegion((ground == index) & ~occupied, material) for index, material in enumerate(materials)]
    return things + [region for region in grounds if region.mask.any()]


def outline_regions(image: np.ndarray, categories: Sequence[Category]) -> list[PredictedRegion]:
    """Return :func:`colour_regions` with ``outlines``."""
    return colour_regions(image, categories, outlines=True)


def connected(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the connected components of a mask (H, W) that have the size of a thing, with holes filled."""
    numbers, _ = ndimage.label(mask, structure=_EIGHT_NEIGHBOURS)
    sizes = np.bincount(numbers.ravel()) / mask.size
    for number in range(1, len(sizes)):
        if SMALLEST_THING <= sizes[number] <= LARGEST_THING:
            yield ndimage.binary_fill_holes(numbers == number)


def profile(mask: np.ndarray) -> np.ndarray:
    """Return the histogram of distances from the centre of a mask, invariant to size and rotation: (BINS,)."""
    rows, columns = np.nonzero(mask)
    distance = np.hypot(rows - rows.mean(), columns - columns.mean()) / np.sqrt(len(rows))
    counts, _ = np.histogram(distance, bins=BINS, range=(0, 1))
    return counts / len(rows)


def _thing(mask: np.ndarray, colour: str, categories: Sequence[Category], outlines: bool) -> Category:
    """Return the first category of a colour or, with ``outlines``, the one with the nearest outline."""
    candidates = [category for category in categories if category.isthing and category.parts["colour"] == colour]
    if not outlines:
        return candidates[0]
    mask_profile = profile(mask)

    def distance(category: Category) -> tuple[float, bool]:
        difference = np.abs(mask_profile - _outline_profile(category.parts["shape"])).sum()
        return float(difference), bool(category.parts["pattern"])

    return min(candidates, key=distance)


@cache
def _outline_profile(shape: str) -> np.ndarray:
    y, x = np.mgrid[-1.2 : 1.2 : _SAMPLE_SIZE * 1j, -1.2 : 1.2 : _SAMPLE_SIZE * 1j].astype(np.float32)
    return profile(OUTLINES[shape](x, y) < 0)


@cache
def _mean_colour(material: str) -> np.ndarray:
    y, x = np.mgrid[:_SAMPLE_SIZE, :_SAMPLE_SIZE].astype(np.float32)
    return MATERIAL_TEXTURES[material](np.random.default_rng(0), x, y).mean(axis=(0, 1))


def _rgb(colour: str) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(*COLOURS[colour]), dtype=np.float32)


Regions = Callable[[np.ndarray, Sequence[Category]], list[PredictedRegion]]
BASELINES: dict[str, Regions] = {"majority": majority_regions, "colour": colour_regions, "outline": outline_regions}


class BaselineModel(nn.Module):
    """A baseline with the interface of a segmentation model.

    Args:
        regions: predicts the regions of an image, one of ``BASELINES``.
        categories: the vocabulary, one category per class.
    """

    def __init__(self, regions: Regions, categories: Sequence[Category]) -> None:
        super().__init__()
        self.regions, self.categories = regions, list(categories)

    @classmethod
    def for_classes(cls, regions: Regions, classes: Sequence[tuple[str, ...]]) -> "BaselineModel":
        """Return a baseline for the classes of a benchmark.

        Args:
            regions: predicts the regions of an image, one of ``BASELINES``.
            classes: names of each class.

        Raises:
            ConfigError: A class does not belong to ToyWorld.
        """
        by_names = {category.names: category for category in all_categories()}
        if unknown := [names[0] for names in classes if names not in by_names]:
            raise ConfigError(
                f"{unknown[0]!r} is not a class of ToyWorld: give a config with ToyWorld alone in DATASETS.TEST."
            )
        return cls(regions, [by_names[names] for names in classes])

    def forward(self, batch: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Return ``panoptic_seg`` and ``sem_seg`` of each image, which is read from its ``file_name``."""
        return [self.predict(np.asarray(read_image(element["file_name"]))) for element in batch]

    def predict(self, image: np.ndarray) -> dict[str, Any]:
        """Return ``panoptic_seg`` and ``sem_seg`` of an image (H, W, 3)."""
        ids, segments = np.zeros(image.shape[:2], dtype=np.int32), []
        labels = np.zeros(image.shape[:2], dtype=np.int64)
        for number, region in enumerate(self.regions(image, self.categories), start=1):
            label = self.categories.index(region.category)
            ids[region.mask], labels[region.mask] = number, label
            segments.append({"id": number, "isthing": region.category.isthing, "category_id": label})
        visible = set(np.unique(ids))  # a thing whose holes are filled can cover another
        segments = [segment for segment in segments if segment["id"] in visible]
        return {"panoptic_seg": (torch.from_numpy(ids), segments), "sem_seg": torch.from_numpy(labels)}
