"""The labels of PASCAL Context: label maps of 459 classes, and masks of the 59 frequent ones of them."""

import functools
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from frozenseg.data.prepare.images import read_table
from frozenseg.errors import DataError
from frozenseg.structures.masks import decode_rle

IGNORED = 255
CLASSES = 459
Segment = tuple[int, dict[str, Any]]  # category, one of 1 … 459, and run lengths


def classes_of(values: np.ndarray, source: Path | str) -> np.ndarray:
    """Turn numbers of the 459 classes to the 59.

    Args:
        values: (H, W) integers, 0 … 459, 0 is unlabelled.
        source: where they are from, for the message.

    Returns:
        (H, W) uint8, 0 … 58, and 255 for all else.

    Raises:
        DataError: a value is greater than 459.
    """
    _require_known(values, source)
    table = np.full(CLASSES + 1, IGNORED, np.uint8)
    for number, index in _frequent().items():
        table[number] = index
    return table[values]


def paint(segments: list[Segment], shape: tuple[int, int], source: str) -> np.ndarray:
    """Paint segments one over the other.

    Args:
        segments: category and run lengths of each.
        shape: height and width.
        source: where they are from, for the message.

    Returns:
        (H, W) uint16 categories, 0 where there is none.

    Raises:
        DataError: an unknown category, or run lengths that are wrong or of another size.
    """
    values = np.zeros(shape, np.uint16)
    for category, runs in segments:
        if category not in _frequent():
            raise DataError(f"{source} has a segment of category {category}, which is none of the 59.")
        if list(runs["size"]) != list(shape):
            raise DataError(f"{source} has a mask of height and width {runs['size']}; expected {list(shape)}.")
        try:
            mask = decode_rle([runs], *shape)[0]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{source} has a mask that cannot be decoded: {error}.") from error
        values[mask] = category
    return values


def read_label_map(path: Path) -> np.ndarray:
    """Read a label map.

    Args:
        path: a ``.mat`` file with the variable ``LabelMap``.

    Returns:
        (H, W) uint16, 1 … 459, 0 where there is no label.

    Raises:
        DataError: missing, not such a file, or with another value.
    """
    try:
        with path.open("rb") as file:
            values = loadmat(file, variable_names=["LabelMap"])["LabelMap"]
    except FileNotFoundError as error:
        raise DataError(f"The label map {path} does not exist.") from error
    except (OSError, LookupError, TypeError, ValueError, NotImplementedError, zlib.error, MatReadError) as error:
        raise DataError(f"The label map {path} cannot be read: {error}.") from error
    if values.ndim != 2 or values.size == 0 or not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"The label map {path} is {values.dtype} of shape {values.shape}; expected (H, W) integers.")
    _require_known(values, path)
    return values.astype(np.uint16)


def _require_known(values: np.ndarray, source: Path | str) -> None:
    for value in (int(values.min()), int(values.max())):
        if not 0 <= value <= CLASSES:
            raise DataError(f"{source} has the value {value}; expected 0 … {CLASSES}.")


@functools.cache
def _frequent() -> dict[int, int]:
    """Return number among the 459, from 1 → index among the 59."""
    return {int(row["context_459_id"]): int(row["id"]) for row in read_table("pascal_context_59.tsv")}
