"""Sizes and places: pure arithmetic, and its application to pictures through torchvision.

Sizes are (height, width) in pixels. Pictures and id maps are PIL images in RGB, so that resampling is Pillow's own:
bilinear (with antialiasing) for pictures, nearest for ids.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional

Size = tuple[int, int]
IMAGE_PADDING = 128
ID_PADDING = 255  # in each channel: id 16 777 215, which no segment has


class CropBox(NamedTuple):
    """A window: its upper left corner and its size, pixels."""

    top: int
    left: int
    height: int
    width: int


def fit_inside(size: Size, box: int, scale: float) -> Size:
    """Return the size that fits into a square of ``box × scale`` pixels, aspect ratio kept, halves rounded to even."""
    height, width = size
    target = box * scale
    factor = min(target / height, target / width)
    return int(np.round(height * factor)), int(np.round(width * factor))


def fit_shortest_edge(size: Size, shortest: int, longest: int) -> Size:
    """Return the size whose shorter edge is ``shortest``, or whose longer one is ``longest`` where it would be longer.

    Halves are rounded up.
    """
    factor = shortest / min(size)
    height, width = (shortest, factor * size[1]) if size[0] < size[1] else (factor * size[0], shortest)
    if max(height, width) > longest:
        shrink = longest / max(height, width)
        height, width = height * shrink, width * shrink
    return int(height + 0.5), int(width + 0.5)


def place_crop(size: Size, crop: int, position: float) -> CropBox:
    """Return the window of a square crop.

    Args:
        size: of the picture.
        crop: side of the window; where the picture is smaller, the window is too.
        position: 0 for the upper left, 1 for the lower right; both axes share it.
    """
    top, left = (int(np.round(max(extent - crop, 0) * position)) for extent in size)
    return CropBox(top, left, min(crop, size[0]), min(crop, size[1]))


def resize_image(image: Image.Image, size: Size) -> Image.Image:
    """Resize a picture, bilinear with antialiasing."""
    return functional.resize(image, list(size), InterpolationMode.BILINEAR)


def resize_ids(ids: Image.Image, size: Size) -> Image.Image:
    """Resize an id map, nearest."""
    return functional.resize(ids, list(size), InterpolationMode.NEAREST)


def flip(image: Image.Image) -> Image.Image:
    """Mirror left and right."""
    return functional.horizontal_flip(image)


def crop_and_pad(image: Image.Image, box: CropBox, side: int, padding: int) -> Image.Image:
    """Cut a window out and pad it, right and bottom, to a square of ``side`` pixels.

    Args:
        image: RGB.
        box: the window.
        side: of the result.
        padding: value of all three channels, 0-255.
    """
    cropped = functional.crop(image, *box)
    missing = [0, 0, side - box.width, side - box.height]  # left, top, right, bottom
    return functional.pad(cropped, missing, fill=[padding] * 3) if any(missing) else cropped
