"""Last feature map at a smaller stride, from the same weights: shift and stitch (Long et al. 2015, sec. 3.2).

A stage of stride 2 runs on four shifts of its input, by zero or one pixel along each axis, and its outputs are
interleaved. The result is that of the stage with dilated convolutions, with as many values as its input has pixels.

Letters: B images, c and C channels, h×w a feature map.
"""

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

Stage = Callable[[Tensor], Tensor]


def finer_map(x: Tensor, stages: Sequence[Stage]) -> Tensor:
    """Run stages of stride 2 and return their last output at the size of the input.

    Args:
        x: (B, c, h, w); h and w are multiples of two to the power of the number of stages.
        stages: (N, c, h, w) → (N, C, h/2, w/2), each independent of the other images of a batch.

    Returns:
        (B, C, h, w). Its values are half a pixel to the upper left or to the lower right of their pixels, in turn by
        stage, so that they do not add up.
    """
    for number, stage in enumerate(stages):
        x = stage(_shifts(x, pixels_before=number % 2))  # (4·N, C, h/2, w/2)
    for _ in stages:
        x = _stitched(x)
    return x


def _shifts(x: Tensor, pixels_before: int) -> Tensor:
    """Return four shifts of a feature map (N, c, h, w) with repeated borders, along the batch: (4·N, c, h, w).

    Args:
        x: (N, c, h, w).
        pixels_before: 0 for shifts by 0 and 1 pixels, 1 for shifts by −1 and 0.
    """
    height, width = x.shape[-2:]
    before, after = pixels_before, 1 - pixels_before
    padded = F.pad(x, (before, after, before, after), mode="replicate")
    return torch.cat([padded[..., y : y + height, x0 : x0 + width] for y in (0, 1) for x0 in (0, 1)])


def _stitched(x: Tensor) -> Tensor:
    """Interleave four feature maps along the batch, (4·N, C, h, w), to (N, C, 2·h, 2·w)."""
    _, channels, height, width = x.shape
    shifts = x.view(2, 2, -1, channels, height, width)
    return shifts.permute(2, 3, 4, 0, 5, 1).reshape(-1, channels, 2 * height, 2 * width)
