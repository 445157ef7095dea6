"""Transform recipes: large-scale jitter for training, shortest edge for evaluation."""

from dataclasses import dataclass

import numpy as np
from PIL import Image

from frozenseg.data.transforms import geometry
from frozenseg.data.transforms.geometry import CropBox, HeightWidth

Rng = np.random.Generator | np.random.RandomState


@dataclass(frozen=True)
class Jitter:
    """One draw of large-scale jitter, applied to an image and to its id map alike.

    Attributes:
        flip: mirror first.
        size: then resize to this, (height, width) pixels.
        box: then cut this window out.
        side: then pad to a square of this side, pixels.
    """

    flip: bool
    size: HeightWidth
    box: CropBox
    side: int

    def transform_image(self, image: Image.Image) -> Image.Image:
        """Return the image (RGB) as a square of ``side``, padded with grey."""
        image = geometry.flip(image) if self.flip else image
        return geometry.crop_and_pad(
            geometry.resize_image(image, self.size), self.box, self.side, geometry.IMAGE_PADDING
        )

    def transform_ids(self, ids: Image.Image) -> Image.Image:
        """Return the window of the id map (RGB), without padding: every id may be that of a segment."""
        ids = geometry.flip(ids) if self.flip else ids
        return geometry.crop_out(geometry.resize_ids(ids, self.size), self.box)


@dataclass(frozen=True)
class LargeScaleJitter:
    """Flip, resize by a random factor, cut a square out (Ghiasi et al., Simple Copy-Paste, 2021).

    Attributes:
        side: of the result, pixels.
        min_scale: smallest scale; at 1 the image just fits into the square.
        max_scale: largest scale.
        flip: mirror half of the images.
    """

    side: int
    min_scale: float = 0.1
    max_scale: float = 2.0
    flip: bool = True

    def draw(self, rng: Rng, size: HeightWidth) -> Jitter:
        """Draw flip, scale and crop position, in this order and each once, whatever the size.

        Args:
            rng: source of random numbers.
            size: of the image, (height, width) pixels.
        """
        flipped = self.flip and rng.uniform(0.0, 1.0) < 0.5
        resized = geometry.fit_inside(size, self.side, rng.uniform(self.min_scale, self.max_scale))
        box = geometry.crop_window(resized, self.side, rng.uniform(0.0, 1.0))
        return Jitter(bool(flipped), resized, box, self.side)


@dataclass(frozen=True)
class ShortestEdge:
    """Resize so that the shorter edge has a fixed length, unless the longer one would exceed its limit.

    Attributes:
        shortest: length of the shorter edge, pixels.
        longest: limit of the longer edge, pixels.
    """

    shortest: int
    longest: int

    def transform_image(self, image: Image.Image) -> Image.Image:
        """Return the resized image."""
        return geometry.resize_image(
            image, geometry.fit_shortest_edge((image.height, image.width), self.shortest, self.longest)
        )
