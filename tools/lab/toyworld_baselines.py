"""What can be said of a ToyWorld scene without learning: controls for what has been learned.

One takes everything for one material; all are equally frequent. One knows how each colour and material is painted:
connected pixels of a colour are a thing. One knows how each outline is drawn, too: a thing has the outline with the
nearest profile of distances from the centre.

Letters: H×W the picture.
"""

import colorsys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from scipy import ndimage

from frozenseg.toyworld.categories import COLOURS, Category
from frozenseg.toyworld.shapes import OUTLINES
from frozenseg.toyworld.textures import MATERIALS

SMOOTHING, CALMING = 3, 9  # pixels a side: of the blur before colours are told, of the vote among materials
LEAST_THING, LARGEST_THING = 0.004, 0.12  # shares of the picture
BINS = 8  # of the profile
SAMPLE = 128  # pixels a side of the drawings of outlines and materials
EIGHT_NEIGHBOURS = np.ones((3, 3), dtype=bool)


class Region(NamedTuple):
    """A part of a picture, and what it is taken for."""

    mask: np.ndarray  # (H, W) bool
    category: Category


def majority_regions(image: np.ndarray, categories: Sequence[Category]) -> list[Region]:
    """Return one region, the whole picture, taken for the first material of the list.

    Args:
        image: (H, W, 3) uint8 RGB.
        categories: what is asked for.
    """
    material = next(category for category in categories if not category.isthing)
    return [Region(np.ones(image.shape[:2], dtype=bool), material)]


def colour_regions(image: np.ndarray, categories: Sequence[Category], outlines: bool = False) -> list[Region]:
    """Return things by colour and connection, and the ground by its nearest mean colour.

    Args:
        image: (H, W, 3) uint8 RGB.
        categories: what is asked for. Patterns are beyond it: a thing is the first one of its colour, or of its shape,
            where outlines are known, and plain rather than patterned.
        outlines: whether they are.
    """
    colours = list(dict.fromkeys(category.parts["colour"] for category in categories if category.isthing))
    materials = [category for category in categories if not category.isthing]
    paints = [_rgb(colour) for colour in colours] + [_mean_colour(category.parts["material"]) for category in materials]
    smooth = ndimage.uniform_filter(image.astype(np.float32) / 255, (SMOOTHING, SMOOTHING, 1))
    nearest = np.stack([np.square(smooth - paint).sum(axis=-1) for paint in paints])  # (colours + materials, H, W)
    label = nearest.argmin(axis=0)
    things = [
        Region(mask, _thing(mask, colour, categories, outlines))
        for index, colour in enumerate(colours)
        for mask in connected(label == index)
    ]
    taken = np.any([thing.mask for thing in things], axis=0) if things else np.zeros(label.shape, dtype=bool)
    votes = np.stack(
        [ndimage.uniform_filter((label == len(colours) + i).astype(np.float32), CALMING) for i in range(len(materials))]
    )
    ground = votes.argmax(axis=0)
    grounds = [Region((ground == index) & ~taken, material) for index, material in enumerate(materials)]
    return things + [region for region in grounds if region.mask.any()]


def outline_regions(image: np.ndarray, categories: Sequence[Category]) -> list[Region]:
    """Return what :func:`colour_regions` does, with outlines known."""
    return colour_regions(image, categories, outlines=True)


def connected(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the connected parts of a mask (H, W) that are as large as a thing, holes filled."""
    numbers, _ = ndimage.label(mask, structure=EIGHT_NEIGHBOURS)
    sizes = np.bincount(numbers.ravel()) / mask.size
    for number in range(1, len(sizes)):
        if LEAST_THING <= sizes[number] <= LARGEST_THING:
            yield ndimage.binary_fill_holes(numbers == number)


def profile(mask: np.ndarray) -> np.ndarray:
    """Return how a mask's area is spread over distances from its centre, whatever its size and rotation: (BINS,)."""
    rows, columns = np.nonzero(mask)
    distance = np.hypot(rows - rows.mean(), columns - columns.mean()) / np.sqrt(len(rows))
    counts, _ = np.histogram(distance, bins=BINS, range=(0, 1))
    return counts / len(rows)


def _thing(mask: np.ndarray, colour: str, categories: Sequence[Category], outlines: bool) -> Category:
    """Return the first category of a colour, or that whose outline is nearest."""
    candidates = [category for category in categories if category.isthing and category.parts["colour"] == colour]
    if not outlines:
        return candidates[0]
    own = profile(mask)

    def unlikeness(category: Category) -> tuple[float, bool]:
        difference = np.abs(own - _outline_profile(category.parts["shape"])).sum()
        return float(difference), bool(category.parts["pattern"])

    return min(candidates, key=unlikeness)


@cache
def _outline_profile(shape: str) -> np.ndarray:
    y, x = np.mgrid[-1.2 : 1.2 : SAMPLE * 1j, -1.2 : 1.2 : SAMPLE * 1j].astype(np.float32)
    return profile(OUTLINES[shape](x, y) < 0)


@cache
def _mean_colour(material: str) -> np.ndarray:
    y, x = np.mgrid[:SAMPLE, :SAMPLE].astype(np.float32)
    return MATERIALS[material](np.random.default_rng(0), x, y).mean(axis=(0, 1))


def _rgb(colour: str) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(*COLOURS[colour]), dtype=np.float32)
