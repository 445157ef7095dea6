"""Where an image lies in SAM's square input, and low-resolution masks at the image's size.

The package enlarges masks twice, to the padded input and, after a cut, to the image. Both are linear and treat rows and
columns alike, so that two small matrices do the same for any rows of the image, without the map between.

Letters: M masks, h×w low resolution, H×W the image, S side of SAM's input.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch
import torch.nn.functional as F
from segment_anything.utils.transforms import ResizeLongestSide
from torch import Tensor


@dataclass(frozen=True)
class Placement:
    """An image in SAM's input.

    Args:
        size: H and W.
        inside: height and width of the image in the input, the rest is padding right and below.
        side: S.
    """

    size: tuple[int, int]
    inside: tuple[int, int]
    side: int

    @classmethod
    def of(cls, height: int, width: int, side: int) -> "Placement":
        """Place an image as the package does, its longest side S."""
        return cls((height, width), ResizeLongestSide.get_preprocess_shape(height, width, side), side)

    def to_input(self, points: np.ndarray) -> np.ndarray:
        """Turn points (P, 2) x, y as shares of the image, 0-1, into pixels of the input."""
        in_pixels = points * np.array(self.size[::-1])
        return ResizeLongestSide(self.side).apply_coords(in_pixels, self.size)

    def at_image_size(self, logits: Tensor, rows: slice = slice(None)) -> Tensor:
        """Enlarge masks to the image, or to some of its rows.

        Args:
            logits: (M, h, w) float32 of the padded input.
            rows: of the image.

        Returns:
            (M, rows, W) float32.
        """
        down, across = (
            weights_along(logits.shape[1 + axis], self.side, self.inside[axis], self.size[axis]).to(logits.device)
            for axis in (0, 1)
        )
        return down[rows] @ logits @ across.T


@lru_cache(maxsize=16)
def weights_along(low: int, side: int, inside: int, size: int) -> Tensor:
    """Return the weights (size, low) of low-resolution values in those of the image, along one axis.

    Args:
        low: values of low resolution.
        side: S, to which they are enlarged.
        inside: of which the first ones are the image.
        size: of the image.
    """
    padded = F.interpolate(torch.eye(low)[None], size=side, mode="linear", align_corners=False)
    return F.interpolate(padded[..., :inside], size=size, mode="linear", align_corners=False)[0].T.contiguous()


def rows_at_a_time(values: int, each: int) -> int:
    """Return how many rows of ``each`` values fit into ``values``, one at least."""
    return max(1, values // max(1, each))
