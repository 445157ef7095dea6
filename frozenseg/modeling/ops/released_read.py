"""The released models' way to read a buffer that was laid out for more levels than there are.

The released FrozenSeg builds its SAM encoder for three levels and feeds it one. The operator that it was trained with
was told "one level" and walked the flat memory accordingly: of the sampling places and weights that had been computed
for three levels it took the first third of the entries as if they were all. So queries look where other queries should
have looked, and their weights do not sum to one. In a batch the walk begins at the first image and ends a third of the
way through: images look where *other images* should have looked.

Weights that were trained this way give their published numbers only when they are read this way:
``MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS: 3``. Each image is then read for itself, so that a result does not depend on
the images beside it; ``SAM_READ_ACROSS_IMAGES: True`` brings back the walk through the whole batch.
"""

from enum import Enum

from torch import Tensor


class ReleasedRead(Enum):
    """How far one walk through the memory goes."""

    PER_IMAGE = "per image"
    ACROSS_IMAGES = "across images"


def read_as_released(buffer: Tensor, levels: int, read: ReleasedRead) -> Tensor:
    """Read the head of the flat buffer as if it had been laid out for fewer levels.

    Args:
        buffer: (B, L, h, built, P, …) values for ``built`` levels; L queries, h heads, P points.
        levels: how many levels are really there.
        read: one walk for each image, or one through the whole batch.

    Returns:
        (B, L, h, levels, P, …).
    """
    batch, *inner = (*buffer.shape[:3], levels, *buffer.shape[4:])
    flat = buffer.flatten(1) if read is ReleasedRead.PER_IMAGE else buffer.reshape(1, -1)
    count = batch // len(flat)  # images a walk
    for size in inner:
        count *= size
    return flat[:, :count].reshape(batch, *inner)
