"""Geometry of resizing and cropping: pure arithmetic on sizes, and its application to images through Pillow.

Sizes are (height, width) in pixels. Images and id maps are PIL images in RGB, so that resampling is Pillow's: bilinear
with antialiasing for images, nearest for ids.
"""

from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.Image import Resampling, Transpose

from frozenseg.data.images import HeightWidth as HeightWidth

IMAGE_PADDING = 128


class CropBox(NamedTuple):
    """A window: its upper left corner and its size, pixels."""

    top: int
    left: int
    height: int
    width: int


def fit_inside(size: HeightWidth, box: int, scale: float) -> HeightWidth:
    """Return the size that fits into a square of ``box × scale`` pixels, aspect ratio kept, halves rounded to even.

    Both sides have at least one pixel.
    """
    height, width = size
    target = box * scale
    factor = min(target / height, target / width)
    return max(1, int(np.round(height * factor))), max(1, int(np.round(width * factor)))


def fit_shortest_edge(size: HeightWidth, shortest: int, longest: int) -> HeightWidth:
    """Return the size with a shorter edge of ``shortest``, reduced if the longer edge would exceed ``longest``.

    Halves are rounded up; both sides have at least one pixel.
    """
    factor = shortest / min(size)
    height, width = (shortest, factor * size[1]) if size[0] < size[1] else (factor * size[0], shortest)
    if max(height, width) > longest:
        shrink = longest / max(height, width)
        height, width = height * shrink, width * shrink
    return max(1, int(height + 0.5)), max(1, int(width + 0.5))


def crop_window(size: HeightWidth, crop: int, position: float) -> CropBox:
    """Return the window of a square crop.

    Args:
        size: of the image.
        crop: side of the window; an image that is smaller limits it.
        position: 0 for the upper left, 1 for the lower right; both axes share it.
    """
    top, left = (int(np.round(max(extent - crop, 0) * position)) for extent in size)
    return CropBox(top, left, min(crop, size[0]), min(crop, size[1]))


def resize_image(image: Image.Image, size: HeightWidth) -> Image.Image:
    """Resize an image, bilinear with antialiasing."""
    return _resize(image, size, Resampling.BILINEAR)


def resize_ids(ids: Image.Image, size: HeightWidth) -> Image.Image:
    """Resize an id map, nearest."""
    return _resize(ids, size, Resampling.NEAREST)


def flip(image: Image.Image) -> Image.Image:
    """Mirror left and right."""
    return image.transpose(Transpose.FLIP_LEFT_RIGHT)


def crop_out(image: Image.Image, box: CropBox) -> Image.Image:
    """Cut a window out of an image or id map."""
    return image.crop((box.left, box.top, box.left + box.width, box.top + box.height))


def crop_and_pad(image: Image.Image, box: CropBox, side: int, padding: int) -> Image.Image:
    """Cut a window out and pad it on the right and at the bottom to a square of ``side`` pixels.

    Args:
        image: RGB.
        box: the window.
        side: of the result.
        padding: value of all three channels, 0-255.
    """
    cropped = crop_out(image, box)
    if cropped.size == (side, side):
        return cropped
    padded = Image.new(cropped.mode, (side, side), (padding,) * 3)
    padded.paste(cropped)
    return padded


def _resize(image: Image.Image, size: HeightWidth, resampling: Resampling) -> Image.Image:
    height, width = size
    return image if image.size == (width, height) else image.resize((width, height), resampling)
