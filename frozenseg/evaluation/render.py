"""Images of the HTML report as files: the image as JPEG; ground truth, prediction and errors as PNG.

Letters: h×w the drawing, N colours.
"""

import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from frozenseg.evaluation.comparison import ERRORS, Comparison, SegmentMap
from frozenseg.structures.palette import Colour
from frozenseg.visualization.overlay import borders

QUALITY = 78  # of JPEG, 1-95
PALETTE_SIZE = 256  # colours that a PNG with a palette may have
WHITE, CLEAR = (255, 255, 255, 255), (0, 0, 0, 0)


class RenderedImage(NamedTuple):
    """An image, ready for a page.

    Attributes:
        name: of the image.
        score: 0-1.
        image: JPEG.
        ground_truth: PNG, classes in their colours; transparent without annotation.
        prediction: PNG likewise.
        errors: PNG in the colours of ``ERRORS``; transparent where nothing is scored.
        classes: that occur, the largest first.
    """

    name: str
    score: float
    image: bytes
    ground_truth: bytes
    prediction: bytes
    errors: bytes
    classes: list[int]


def render_comparison(comparison: Comparison, colours: Sequence[Colour]) -> RenderedImage:
    """Encode an image and its drawings.

    Args:
        comparison: the image, its ground truth, prediction and errors.
        colours: of all classes.
    """
    of_errors = _table([colour for _, colour in ERRORS.values()])
    return RenderedImage(
        comparison.name,
        comparison.score,
        _jpeg(comparison.image),
        _png(_coloured(comparison.ground_truth, colours)),
        _png(_coloured(comparison.prediction, colours)),
        _png(of_errors[comparison.errors]),
        comparison.classes,
    )


def _table(colours: Sequence[Colour]) -> np.ndarray:
    """Return (N + 1, 4) uint8 RGBA; the last one is clear."""
    return np.array([*((*colour, 255) for colour in colours), CLEAR], dtype=np.uint8)


def _coloured(segments: SegmentMap, colours: Sequence[Colour]) -> np.ndarray:
    """Return segments in the colours of their classes with white lines between them, (h, w, 4) uint8 RGBA."""
    pixels = _table(colours)[segments.class_map()]
    pixels[borders(segments.numbers)] = WHITE
    return pixels


def _jpeg(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()


def _png(pixels: np.ndarray) -> bytes:
    """Encode (h, w, 4) uint8 RGBA, with a palette if the colours fit into one."""
    colours, indices = np.unique(np.ascontiguousarray(pixels).view(np.uint32)[..., 0], return_inverse=True)
    if len(colours) <= PALETTE_SIZE:  # a byte a pixel instead of four
        image = Image.fromarray(indices.reshape(pixels.shape[:2]).astype(np.uint8))
        image.putpalette(colours.view(np.uint8).tobytes(), "RGBA")
    else:
        image = Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
