"""Split of images into training and validation, by the hashes of their names."""

import hashlib
import os
from collections.abc import Sequence

TRAIN, VAL = "train", "val"
DATA_SPLITS = (TRAIN, VAL)


def split_images(names: Sequence[str], val_fraction: float) -> dict[str, str]:
    """Return the split of each name: the names with the smallest hashes are for validation.

    The order of the names does not matter. With a fraction above 0 and at least two names, each split has one.

    Args:
        names: distinct names of images or videos.
        val_fraction: share of the validation split, 0-1.
    """
    count = round(val_fraction * len(names))
    if val_fraction > 0 and len(names) > 1:
        count = min(max(count, 1), len(names) - 1)
    chosen = set(sorted(names, key=_hash)[:count])
    return {name: VAL if name in chosen else TRAIN for name in names}


def _hash(name: str) -> str:
    return hashlib.sha256(os.fsencode(name)).hexdigest()
