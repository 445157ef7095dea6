"""Placement of an image in SAM's square input, and mask logits at image size.

The drawing shows an image that is wider than high::

    image (H, W)          SAM input (S, S)      mask logits (h, w)     image (H, W)
    +---------------+     +-----------+         +-----+                +---------------+
    |               |     |  inside   |  SAM    |     |  resize to S,  |               |
    |               | --> +-----------+ ----->  +-----+  cut inside,   |               |
    |               |     |  padding  |         |     |  resize to H,W |               |
    +---------------+     +-----------+         +-----+ -------------> +---------------+
      longest side -> S, aspect kept              S/h = 4 for the released models

The segment-anything package resizes masks twice: to the padded input, and, after the padding is cut off, to the image.
Both are linear and separable, so two small matrices give the same result for any rows of the image, without the
intermediate (M, S, S) tensor.

Letters: M masks, h×w low resolution, H×W the image, S side of SAM's input, P points.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.structures.shapes import check_shape


@dataclass(frozen=True)
class Placement:
    """An image in SAM's input.

    Args:
        size: H and W.
        inside: height and width of the image in the input; the rest is padding right and below.
        side: S.
    """

    size: tuple[int, int]
    inside: tuple[int, int]
    side: int

    @classmethod
    def of(cls, height: int, width: int, side: int) -> "Placement":
        """Place an image as the package does: its longest side becomes S."""
        from segment_anything.utils.transforms import ResizeLongestSide  # imports torchvision

        return cls((height, width), ResizeLongestSide.get_preprocess_shape(height, width, side), side)

    def to_input(self, points: np.ndarray) -> np.ndarray:
        """Convert points (P, 2) x, y in fractions of the image, 0-1, into pixels of the input."""
        from segment_anything.utils.transforms import ResizeLongestSide  # as above

        in_pixels = points * np.array(self.size[::-1])
        in_input: np.ndarray = ResizeLongestSide(self.side).apply_coords(in_pixels, self.size)
        return in_input

    def at_image_size(
        self, logits: Tensor, rows: slice | Tensor = slice(None), columns: slice | Tensor = slice(None)
    ) -> Tensor:
        """Resize mask logits to the image, or to some of its rows and columns.

        Args:
            logits: (M, h, w) float32 of the padded input.
            rows: of the image, a slice or int64 indices.
            columns: of the image, likewise.

        Returns:
            (M, rows, columns) float32.

        Raises:
            ShapeError: the logits are not (M, h, w).
        """
        check_shape("mask logits", logits, "M h w")
        down, across = (
            weights_along(logits.shape[1 + axis], self.side, self.inside[axis], self.size[axis]).to(logits.device)
            for axis in (0, 1)
        )
        return down[rows] @ logits @ across[columns].T


@lru_cache(maxsize=16)
def weights_along(low: int, side: int, inside: int, size: int) -> Tensor:
    """Return the weights (size, low) of low-resolution values in the values of the image, along one axis.

    Args:
        low: number of low-resolution values.
        side: S, the number of values after the first resize.
        inside: number of values that are kept, from the first one on.
        size: number of values after the second resize, of the image.
    """
    padded = F.interpolate(torch.eye(low)[None], size=side, mode="linear", align_corners=False)
    return F.interpolate(padded[..., :inside], size=size, mode="linear", align_corners=False)[0].T.contiguous()
