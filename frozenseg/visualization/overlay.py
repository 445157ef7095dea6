"""Colours over an image: one for each label of a label map, with lines along their borders.

Letters: H×W the image, N labels.
"""

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from frozenseg.structures.palette import Colour

OPACITY = 0.6  # of a colour over the image, 0-1
LINE_OPACITY = 0.9
LINE_COLOUR: Colour = (255, 255, 255)
NO_LABEL = -1
STRIP_PIXELS = 1 << 20  # rows are computed in strips of about this size, so that memory does not grow with the image


def overlay_labels(
    image: Image.Image,
    labels: np.ndarray,
    colours: Sequence[Colour],
    line_width: int = 1,
    unlabelled: Colour | None = None,
    opacity: float = OPACITY,
) -> Image.Image:
    """Return an image under its labels.

    Args:
        image: (W, H) RGB.
        labels: (H, W) integers, index of a colour; ``NO_LABEL`` (-1) for none.
        colours: N.
        line_width: of the white lines between labels, pixels; 0: no lines.
        unlabelled: colour of pixels without a label; None: they show the image.
        opacity: of the colours, 0-1.
    """
    table = np.array([*colours, unlabelled or (0, 0, 0)], dtype=np.float32)  # the last one is that of -1
    opacities = np.full(len(table), opacity, dtype=np.float32)
    opacities[NO_LABEL] = 0 if unlabelled is None else 1
    source = np.asarray(image.convert("RGB"))  # (H, W, 3)
    lines = borders(labels, line_width) if line_width else None
    drawn = np.empty_like(source)
    for rows in _strips(source.shape[:2]):
        pixels, of_rows = source[rows].astype(np.float32), labels[rows]
        pixels += opacities[of_rows][..., None] * (table[of_rows] - pixels)
        if lines is not None:
            pixels[lines[rows]] += LINE_OPACITY * (np.array(LINE_COLOUR, dtype=np.float32) - pixels[lines[rows]])
        drawn[rows] = pixels.round().astype(np.uint8)
    return Image.fromarray(drawn)


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    height, width = shape
    rows = max(1, STRIP_PIXELS // max(1, width))
    return (slice(first, first + rows) for first in range(0, height, rows))


def borders(labels: np.ndarray, width: int = 1) -> np.ndarray:
    """Return lines along the borders of labels, (H, W) bool.

    Args:
        labels: (H, W) integers.
        width: of the lines, pixels; one pixel is the last of a label before another to its right or below it.
    """
    from scipy.ndimage import maximum_filter  # slow to import

    thin = np.zeros(labels.shape, dtype=bool)
    thin[:-1] |= labels[1:] != labels[:-1]
    thin[:, :-1] |= labels[:, 1:] != labels[:, :-1]
    return thin if width == 1 else maximum_filter(thin, size=width)


def nearest_pixels(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return an (H, W) map at another size (height, width), each pixel from the nearest one."""
    rows, columns = (
        ((np.arange(target) + 0.5) * source / target).astype(int)
        for target, source in zip(size, pixels.shape, strict=True)
    )
    return pixels[np.ix_(rows, columns)]


def legend_colours(
    image: Image.Image, label_maps: Sequence[np.ndarray], colours: Sequence[Colour], opacity: float = OPACITY
) -> list[Colour]:
    """Return the colours of labels as they look over an image: the mean of each label's pixels in the overlay.

    Args:
        image: (W, H) RGB, below the overlays.
        label_maps: (H, W) integers each, index of a colour; ``NO_LABEL`` (-1) for none.
        colours: N, of the labels.
        opacity: of the colours, 0-1.

    Returns:
        N colours; that of a label without pixels is blended with the mean of the whole image.
    """
    source = np.asarray(image.convert("RGB"))  # (H, W, 3)
    sums, counts = np.zeros((len(colours) + 1, 3)), np.zeros((len(colours) + 1, 1))
    total = np.zeros(3)
    for rows in _strips(source.shape[:2]):
        pixels = source[rows].reshape(-1, 3).astype(np.float64)
        total += pixels.sum(axis=0)
        for labels in label_maps:
            bins = labels[rows].ravel() + 1  # those without a label are the first
            counts[:, 0] += np.bincount(bins, minlength=len(counts))
            for channel in range(3):
                sums[:, channel] += np.bincount(bins, weights=pixels[:, channel], minlength=len(counts))
    mean = total / (source.shape[0] * source.shape[1])
    means = np.where(counts > 0, sums / counts.clip(1), mean)[1:]  # (N, 3)
    mixed = np.rint(means + opacity * (np.array(colours).reshape(-1, 3) - means)).astype(int)
    return [(red, green, blue) for red, green, blue in mixed.tolist()]
