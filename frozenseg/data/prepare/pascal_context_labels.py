"""Labels of PASCAL Context: label maps of 459 classes, and masks of the 59 frequent ones."""

import functools
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from scipy.io import loadmat
from scipy.io.matlab import MatReadError

from frozenseg.data.prepare.images import read_category_table
from frozenseg.errors import DataError
from frozenseg.structures.masks import decode_rle

_IGNORED = 255
_CLASSES = 459
DetailSegment = tuple[int, dict[str, Any]]  # category, 1 … 459, and mask (RLE)


def frequent_classes(values: np.ndarray, source: Path | str) -> np.ndarray:
    """Map the 459 classes to the 59 frequent ones.

    Args:
        values: (H, W) integers, 0 … 459, 0 for unlabelled.
        source: file of the values, for the message.

    Returns:
        (H, W) uint8, 0 … 58, and 255 for all other classes.

    Raises:
        DataError: a value above 459.
    """
    _check_values(values, source)
    table = np.full(_CLASSES + 1, _IGNORED, np.uint8)
    for number, index in _frequent().items():
        table[number] = index
    return table[values]


def paint_segments(segments: list[DetailSegment], shape: tuple[int, int], source: str) -> np.ndarray:
    """Paint segments in order, later ones over earlier ones.

    Args:
        segments: category and mask of each.
        shape: height and width.
        source: file of the segments, for the message.

    Returns:
        (H, W) uint16 categories, 0 where there is no segment.

    Raises:
        DataError: an unknown category, or a mask that is invalid or has another size.
    """
    values = np.zeros(shape, np.uint16)
    for category, rle in segments:
        if category not in _frequent():
            raise DataError(f"{source} has a segment of category {category}, which is not one of the 59.")
        if list(rle["size"]) != list(shape):
            raise DataError(f"{source} has a mask of height and width {rle['size']}; expected {list(shape)}.")
        try:
            mask = decode_rle([rle], *shape)[0]
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(f"{source} has a mask that cannot be decoded: {error}.") from error
        values[mask] = category
    return values


def read_label_map(path: Path) -> np.ndarray:
    """Read a label map.

    Args:
        path: a ``.mat`` file with the variable ``LabelMap``.

    Returns:
        (H, W) uint16, 1 … 459, 0 for unlabelled.

    Raises:
        DataError: the file is missing, cannot be read, or has a value above 459.
    """
    try:
        with path.open("rb") as file:
            values = loadmat(file, variable_names=["LabelMap"])["LabelMap"]
    except FileNotFoundError as error:
        raise DataError(f"The label map {path} does not exist.") from error
    except (OSError, LookupError, TypeError, ValueError, NotImplementedError, zlib.error, MatReadError) as error:
        raise DataError(f"The label map {path} cannot be read: {error}.") from error
    if values.ndim != 2 or values.size == 0 or not np.issubdtype(values.dtype, np.integer):
        raise DataError(f"The label map {path} has {values.dtype} of shape {values.shape}; expected (H, W) integers.")
    _check_values(values, path)
    return values.astype(np.uint16)


def _check_values(values: np.ndarray, source: Path | str) -> None:
    for value in (int(values.min()), int(values.max())):
        if not 0 <= value <= _CLASSES:
            raise DataError(f"{source} has the value {value}; expected 0 … {_CLASSES}.")


@functools.cache
def _frequent() -> dict[int, int]:
    """Return class number among the 459, from 1 → index among the 59."""
    return {int(row["context_459_id"]): int(row["id"]) for row in read_category_table("pascal_context_59.tsv")}
