"""Two resizes and the crop between them along one axis, as one matrix.

Both resizes are linear, so rows of the result are products of the matrix and rows of the maps. A row of the matrix has
few entries, side by side: a product of some rows reads a band of the maps only.

Letters: n source positions, m target positions, r target positions of a band, b source positions of a band.
"""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class AxisSizes(NamedTuple):
    """Sizes along one axis, pixels."""

    maps: int  # n
    padded: int  # of the padded input, to which the maps are resized
    true: int  # of the image inside it, to which they are cropped
    target: int  # m, of the output, to which they are resized


class AxisMatrix:
    """Matrix from maps to outputs along one axis.

    Args:
        sizes: along the axis.
        like: tensor of the device and type of the maps.
    """

    def __init__(self, sizes: AxisSizes, like: Tensor) -> None:
        identity = torch.eye(sizes.maps, dtype=torch.promote_types(like.dtype, torch.float32))
        weights = _resize(identity[None], sizes.padded)[..., : sizes.true]  # (1, n, true)
        matrix = _resize(weights, sizes.target)[0].T.contiguous()  # (m, n)
        used = matrix != 0
        self._first = used.int().argmax(dim=1).tolist()  # first source position of each target position
        self._end = (sizes.maps - used.flip(1).int().argmax(dim=1)).tolist()
        self._matrix = matrix.to(like.device, like.dtype, non_blocking=True)

    def band(self, targets: slice) -> tuple[slice, Tensor]:
        """Return the b source positions that some r target positions need, and their weights (r, b)."""
        source = slice(min(self._first[targets]), max(self._end[targets]))
        return source, self._matrix[targets, source]


def _resize(lines: Tensor, size: int) -> Tensor:
    """Resize (1, c, n) linearly to (1, c, size), as :func:`frozenseg.modeling.layers.resize.resize` does."""
    if lines.shape[2] == size:
        return lines
    return F.interpolate(lines, size=size, mode="linear", align_corners=False)
