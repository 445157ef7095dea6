"""Sizes of drawings: small images are enlarged, huge ones reduced.

A drawing takes time and memory in proportion to the pixels of its image, up to a limit. Sizes are (width, height) in
pixels, as in Pillow.
"""

import math

DrawingSize = tuple[int, int]  # width, height
MIN_SIDE = 320  # images with a shorter side are enlarged, so that lines stay thin beside the letters
MAX_ENLARGED = 2000  # longest side of an enlarged image
MAX_SIDE, MAX_PIXELS = 20_000, 24_000_000  # of a drawing, without its legend; a photo of 6000×4000 is not reduced
MAX_ASPECT = 8  # of an image's sides; in longer ones the shorter side sets the width of lines and the size of letters


def drawing_size(size: DrawingSize, max_size: int = 0) -> DrawingSize:
    """Return the size at which an image is drawn: a whole multiple of a small one, less than that of a huge one.

    Args:
        size: of the image.
        max_size: longest side of the drawing; 0 for no other limit.
    """
    width, height = size
    factor = enlargement(size, min(size))
    if max_size:
        factor = min(factor, max_size // max(size))
    if factor > 1:
        return width * factor, height * factor
    scale = min(1.0, (max_size or MAX_SIDE) / max(size), MAX_SIDE / max(size), math.sqrt(MAX_PIXELS / (width * height)))
    return max(1, int(width * scale)), max(1, int(height * scale))


def enlargement(size: DrawingSize, side: int, target: int = MIN_SIDE) -> int:
    """Return the whole factor that brings a side of an image to a length, if the image stays below ``MAX_ENLARGED``.

    Args:
        size: of the image.
        side: width or height of the image.
        target: length of that side in the drawing; longer ones are not changed.
    """
    return max(1, min(-(-target // side), MAX_ENLARGED // max(size)))


def size_in_column(size: DrawingSize, width: int) -> DrawingSize:
    """Return the size of an image in a column of a sheet: of its width, unless that makes a high image much larger."""
    scale = width / size[0]
    if scale > 1:
        scale = min(scale, max(1.0, MAX_ENLARGED / max(size)))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def detail_size(size: DrawingSize) -> int:
    """Return the length by which lines and letters of a drawing scale: its longer side, except in long, thin ones."""
    return min(max(size), MAX_ASPECT * min(size))
