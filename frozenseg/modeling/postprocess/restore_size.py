"""Bring maps from the padded input back to the size that the caller wants: whole, or a few rows at a time.

Letters: Q queries, K masks that are wanted, H×W the padded input, h×w the image inside it, height×width what is wanted.
"""

import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.structures.image_list import ImageSize

WHOLE = 2**30  # numbers that are restored at once: 4 GiB


def restore_size(maps: Tensor, true_size: ImageSize, target_size: ImageSize) -> Tensor:
    """Cut off the padding, then resize bilinearly.

    Args:
        maps: (c, H, W) at the padded size.
        true_size: the image's height and width inside it.
        target_size: height and width to return.

    Returns:
        (c, height, width).
    """
    cropped = maps[None, :, : true_size.height, : true_size.width]
    return resize(cropped, target_size)[0]


class LazilyRestoredMasks:
    """What :func:`restore_size` gives, to rounding, for any rows when they are asked for.

    Args:
        maps: (Q, H, W) at the padded size.
        true_size: the image's height and width inside it.
        target_size: height and width.

    Attributes:
        shape: (Q, height, width).
    """

    def __init__(self, maps: Tensor, true_size: ImageSize, target_size: ImageSize) -> None:
        self.shape = torch.Size((len(maps), *target_size))
        self._cropped = maps[:, : true_size.height, : true_size.width]  # (Q, h, w)
        scale = true_size.height / target_size.height
        source = ((torch.arange(target_size.height, device=maps.device) + 0.5) * scale - 0.5).clamp(min=0)  # (height,)
        self._above = source.long().clamp(max=true_size.height - 1)
        self._below = (self._above + 1).clamp(max=true_size.height - 1)
        self._share = (source - self._above).to(maps.dtype)[:, None]  # of the row below, (height, 1)

    def rows(self, rows: slice, chosen: Tensor | None = None) -> Tensor:
        """Return some rows of all masks or of the (K,) chosen ones, (K, rows, width)."""
        maps = self._cropped if chosen is None else self._cropped[chosen]
        above, below = maps[:, self._above[rows]], maps[:, self._below[rows]]  # (K, rows, w)
        return resize(torch.lerp(above, below, self._share[rows])[None], (above.shape[1], self.shape[2]))[0]


Masks = Tensor | LazilyRestoredMasks


def restore_masks(maps: Tensor, true_size: ImageSize, target_size: ImageSize) -> Masks:
    """Restore masks (Q, H, W) at once, or by rows where that would take too much memory.

    A photograph has 12 million pixels, and each of 250 queries a number for every one.
    """
    values = len(maps) * target_size.height * target_size.width
    return (
        restore_size(maps, true_size, target_size)
        if values <= WHOLE
        else LazilyRestoredMasks(maps, true_size, target_size)
    )


def mask_rows(masks: Masks, rows: slice, chosen: Tensor | None = None) -> Tensor:
    """Return some rows of all (Q, height, width) masks or of the (K,) chosen ones, (K, rows, width)."""
    if isinstance(masks, LazilyRestoredMasks):
        return masks.rows(rows, chosen)
    return masks[:, rows] if chosen is None else masks[:, rows][chosen]
