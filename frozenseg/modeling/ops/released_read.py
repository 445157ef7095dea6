"""Reproduction of a defect of the released FrozenSeg: three levels of offsets and weights, read as one.

The released model builds its SAM encoder for three levels and feeds it one. Its CUDA operator receives "one level" and
indexes the flat memory accordingly: it takes the first third of the sampling locations and attention weights as if it
were all of them. So queries sample at locations that were computed for other queries, and the weights of a query do not
sum to one. With 3 queries a, b, c and one point per level (0, 1, 2)::

    memory, laid out for 3 levels      a0 a1 a2   b0 b1 b2   c0 c1 c2
    correct read of level 0            a: a0      b: b0      c: c0
    released read                      a: a0      b: a1      c: a2

In a batch the operator starts at the first image and stops after a third of the whole memory, so that an image samples
at locations computed for *other images* (``ACROSS_IMAGES``)::

    memory          image 0: a0 a1 a2  b0 b1 b2  c0 c1 c2     image 1: A0 A1 A2  B0 B1 B2  C0 C1 C2
    PER_IMAGE       image 0: a0 a1 a2                         image 1: A0 A1 A2
    ACROSS_IMAGES   image 0: a0 a1 a2                         image 1: b0 b1 b2

Weights trained with this read reproduce their published numbers only with it:
``MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS: 3``. By default each image is then read separately, so that its result does not
depend on the rest of the batch; ``SAM_READ_ACROSS_IMAGES: True`` restores the read across the batch.
"""

import math
from enum import Enum

from torch import Tensor


class ReleasedRead(Enum):
    """Memory that one read covers."""

    PER_IMAGE = "per image"
    ACROSS_IMAGES = "across images"


def read_as_released(buffer: Tensor, levels: int, read: ReleasedRead) -> Tensor:
    """Read the start of the flat buffer as if it had been laid out for fewer levels.

    Args:
        buffer: (B, L, h, built, P, …) values for ``built`` levels; B images, L queries, h heads, P points.
        levels: number of levels to read, at most ``built``.
        read: one read per image, or one across the batch.

    Returns:
        (B, L, h, levels, P, …).
    """
    batch = buffer.shape[0]
    per_image = [*buffer.shape[1:3], levels, *buffer.shape[4:]]
    flat = buffer.flatten(1) if read is ReleasedRead.PER_IMAGE else buffer.reshape(1, -1)
    images_per_read = batch // flat.shape[0]
    return flat[:, : images_per_read * math.prod(per_image)].reshape(batch, *per_image)
