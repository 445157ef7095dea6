"""Batch of images of different sizes: padded on the right and bottom, with the original sizes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor


class ImageSize(NamedTuple):
    """Height and width in pixels."""

    height: int
    width: int


@dataclass(frozen=True)
class ImageList:
    """A padded batch.

    Attributes:
        tensor: (B, C, H, W) float32.
        sizes: height and width of each image before padding.
    """

    tensor: Tensor
    sizes: tuple[ImageSize, ...]

    @classmethod
    def from_images(cls, images: list[Tensor], divisibility: int) -> "ImageList":
        """Pad images with zeros on the right and bottom to the largest height and width, rounded up.

        Args:
            images: each (C, h, w), already normalised, so that zero is the mean colour.
            divisibility: H and W are multiples of it.
        """
        sizes = tuple(ImageSize(*image.shape[-2:]) for image in images)
        height, width = padded_size(sizes, divisibility)
        padded = [
            F.pad(image, (0, width - size.width, 0, height - size.height))
            for image, size in zip(images, sizes, strict=True)
        ]
        return cls(torch.stack(padded), sizes)  # (B, C, H, W)

    @property
    def padded_size(self) -> ImageSize:
        """Height and width of the padded batch."""
        return ImageSize(*self.tensor.shape[-2:])


def padded_size(sizes: Sequence[ImageSize], divisibility: int) -> ImageSize:
    """Return the size that the images of a batch are padded to: the largest height and width, rounded up."""
    height, width = max(size.height for size in sizes), max(size.width for size in sizes)
    return ImageSize(_round_up(height, divisibility), _round_up(width, divisibility))


def _round_up(size: int, divisibility: int) -> int:
    return -(-size // divisibility) * divisibility
