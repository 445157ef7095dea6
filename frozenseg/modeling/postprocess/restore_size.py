"""Resize of maps from the padded input back to the requested output size, whole or a few rows at a time.

The padding is cropped before the resize::

        padded input, H×W            image, h×w                output, height×width
       ┌──────────────┬───┐        ┌──────────────┐        ┌────────────────────────┐
       │              │   │        │              │        │                        │
       │    image     │pad│  crop  │    image     │ resize │         image          │
       │              │   │ ─────► │              │ ─────► │                        │
       ├──────────────┘   │        └──────────────┘        │                        │
       │      padding     │                                │                        │
       └──────────────────┘                                └────────────────────────┘

Resized before the crop, values of the padding would leak into the last rows and columns of the image.

Letters: Q queries, K selected masks, H×W the padded input, h×w the image inside it, height×width the output.
"""

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.modeling.layers.resize import resize
from frozenseg.structures.image_list import ImageSize
from frozenseg.structures.shapes import check_shape

MAX_VALUES = 2**30  # restored at once: 4 GiB of float32


def restore_size(maps: Tensor, true_size: ImageSize, target_size: ImageSize) -> Tensor:
    """Crop the padding, then resize bilinearly.

    Args:
        maps: (c, H, W) at the padded size.
        true_size: height and width of the image inside it.
        target_size: height and width of the output.

    Returns:
        (c, height, width).

    Raises:
        ShapeError: another rank, or an image that is larger than the maps.
    """
    _check(maps, true_size)
    cropped = maps[None, :, : true_size.height, : true_size.width]  # (1, c, h, w)
    return resize(cropped, target_size)[0]


class LazilyRestoredMasks:
    """Masks with rows that are restored on demand; equal to :func:`restore_size` up to rounding.

    Args:
        maps: (Q, H, W) at the padded size.
        true_size: height and width of the image inside it.
        target_size: height and width of the output.

    Attributes:
        shape: (Q, height, width).

    Raises:
        ShapeError: another rank, or an image that is larger than the maps.
    """

    def __init__(self, maps: Tensor, true_size: ImageSize, target_size: ImageSize) -> None:
        _check(maps, true_size)
        self.shape = torch.Size((len(maps), *target_size))
        self._cropped = maps[:, : true_size.height, : true_size.width]  # (Q, h, w)
        scale = true_size.height / target_size.height
        # bilinear interpolation with half-pixel centres: row i is between two source rows
        source = (torch.arange(target_size.height, device=maps.device) + 0.5) * scale - 0.5
        source = source.clamp(min=0)  # (height,)
        self._above = source.long().clamp(max=true_size.height - 1)
        self._below = (self._above + 1).clamp(max=true_size.height - 1)
        self._weight_below = (source - self._above).to(maps.dtype)[:, None]  # (height, 1)

    def rows(self, rows: slice, selected: Tensor | None = None) -> Tensor:
        """Return some rows of all masks, or of the (K,) selected ones: (K, rows, width)."""
        maps = self._cropped if selected is None else self._cropped[selected]
        above, below = maps[:, self._above[rows]], maps[:, self._below[rows]]  # (K, rows, w)
        blended = torch.lerp(above, below, self._weight_below[rows])
        return resize(blended[None], (above.shape[1], self.shape[2]))[0]


RestoredMasks = Tensor | LazilyRestoredMasks


def restore_masks(maps: Tensor, true_size: ImageSize, target_size: ImageSize) -> RestoredMasks:
    """Restore masks (Q, H, W) at once, or lazily if they would take more than 4 GiB.

    250 masks of an image with 12 million pixels have 3 · 10⁹ values.
    """
    values = len(maps) * target_size.height * target_size.width
    if values <= MAX_VALUES:
        return restore_size(maps, true_size, target_size)
    return LazilyRestoredMasks(maps, true_size, target_size)


def mask_rows(masks: RestoredMasks, rows: slice, selected: Tensor | None = None) -> Tensor:
    """Return some rows of all (Q, height, width) masks, or of the (K,) selected ones: (K, rows, width)."""
    if isinstance(masks, LazilyRestoredMasks):
        return masks.rows(rows, selected)
    return masks[:, rows] if selected is None else masks[:, rows][selected]


def _check(maps: Tensor, true_size: ImageSize) -> None:
    check_shape("maps", maps, "c H W")
    height, width = maps.shape[1:]
    if true_size.height > height or true_size.width > width:
        raise ShapeError(
            f"The image of {true_size.height}×{true_size.width} pixels does not fit into maps of {height}×{width}."
        )
