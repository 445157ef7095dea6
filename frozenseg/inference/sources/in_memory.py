"""Images in memory: PIL images, arrays, tensors and encoded bytes, alone, in batches and from iterators."""

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from torch import Tensor

from frozenseg.inference.image_inputs import load_image
from frozenseg.inference.sources.source_image import PendingImage


def memory_name(number: int) -> str:
    """Return the name of an image in memory by its number in the call, from 1."""
    return f"image_{number:06d}"


def pending_in_memory(value: Any, number: int) -> PendingImage:
    """Return a value in memory as an image with a number as its name; it is checked when it is decoded.

    Args:
        value: as for :func:`~frozenseg.inference.image_inputs.load_image`.
        number: of the image in the call, from 1.
    """
    name = memory_name(number)
    return PendingImage(name, name, partial(load_image, value))


def single_images(value: Any) -> Iterator[Any]:
    """Yield the images of a batch, an array (N, H, W, 3) or a tensor (N, 3, H, W); any other value as it is."""
    if isinstance(value, (np.ndarray, Tensor)) and value.ndim == 4:
        yield from value
    else:
        yield value
