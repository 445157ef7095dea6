"""Resize of maps to the padded input and back to the requested output size, whole or a few rows at a time.

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

Masks are restored a few rows at a time, by one matrix for each axis: neither at the size of the padded input nor at
that of the output do all of them exist at once.

Letters: Q queries, K selected masks, n×m the predicted masks, H×W the padded input, h×w the image inside it,
height×width the output, r rows of it, b rows of the predicted masks that these need.
"""

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.layers.row_strips import row_strips, values_per_strip
from frozenseg.modeling.postprocess.axis_matrix import AxisMatrix, AxisSizes
from frozenseg.structures.image_list import ImageSize
from frozenseg.structures.shapes import check_shape

OUTPUT_COLUMNS = 64  # computed together: fewer need a narrower band of the masks, more make fewer products


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
    check_shape("maps", maps, "c H W")
    _check_fit(ImageSize(*maps.shape[1:]), true_size)
    cropped = maps[None, :, : true_size.height, : true_size.width]  # (1, c, h, w)
    return resize(cropped, target_size)[0]


class RestoredMasks:
    """Masks of which rows are restored on request; equal to two resizes with a crop between them, up to rounding.

    Args:
        maps: (Q, n, m) as predicted, or at the padded size.
        padded_size: height and width of the padded input, to which ``maps`` are resized first.
        true_size: height and width of the image inside it.
        target_size: height and width of the output.

    Attributes:
        shape: (Q, height, width).

    Raises:
        ShapeError: another rank, or an image that is larger than the padded input.
    """

    def __init__(self, maps: Tensor, *, padded_size: ImageSize, true_size: ImageSize, target_size: ImageSize) -> None:
        check_shape("maps", maps, "Q n m")
        _check_fit(padded_size, true_size)
        self.shape = torch.Size((len(maps), *target_size))
        self._maps = maps
        self._whole: Tensor | None = None  # (Q, height, width) after a first request for all of it, if it is small
        sizes = zip(maps.shape[1:], padded_size, true_size, target_size, strict=True)
        self._vertical, self._horizontal = (AxisMatrix(AxisSizes(*of_axis), maps) for of_axis in sizes)

    def rows(self, rows: slice, selected: Tensor | None = None) -> Tensor:
        """Return some rows of all masks, or of the (K,) selected ones: (K, r, width)."""
        if self._whole is not None:
            return mask_rows(self._whole, rows, selected)
        restored = self._restore(rows, selected)
        if restored.shape == self.shape and selected is None and restored.numel() <= values_per_strip(restored.device):
            self._whole = restored
        return restored

    def _restore(self, rows: slice, selected: Tensor | None) -> Tensor:
        band, vertical = self._vertical.band(rows)
        maps = self._maps[:, band] if selected is None else self._maps[:, band].index_select(0, selected)  # (K, b, m)
        wide = maps.new_empty(*maps.shape[:2], self.shape[2])  # (K, b, width)
        lines, wide_lines = maps.flatten(0, 1), wide.flatten(0, 1)  # (K·b, m), (K·b, width)
        with torch.autocast(maps.device.type, enabled=False):
            for columns in row_strips(self.shape[2], 1, OUTPUT_COLUMNS):
                band, horizontal = self._horizontal.band(columns)
                _multiply_into(wide_lines[:, columns], lines[:, band], horizontal.T)
            return vertical @ wide


def _multiply_into(product: Tensor, a: Tensor, b: Tensor) -> None:
    """Write ``a @ b`` to a part of a tensor; without a copy where no gradient is recorded."""
    if a.requires_grad:
        product.copy_(a @ b)
    else:
        torch.mm(a, b, out=product)


def mask_rows(masks: Tensor | RestoredMasks, rows: slice, selected: Tensor | None = None) -> Tensor:
    """Return some rows of all (Q, height, width) masks, or of the (K,) selected ones: (K, rows, width)."""
    if isinstance(masks, RestoredMasks):
        return masks.rows(rows, selected)
    return masks[:, rows] if selected is None else masks[:, rows][selected]


def _check_fit(size: ImageSize, true_size: ImageSize) -> None:
    if true_size.height > size.height or true_size.width > size.width:
        raise ShapeError(
            f"The image of {true_size.height}×{true_size.width} pixels does not fit into maps of "
            f"{size.height}×{size.width}."
        )
