"""Pictures whose pixels are numbers: segment ids (panoptic PNG) and class labels (semantic PNG or TIFF)."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.errors import DataError
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.panoptic import id_to_rgb

LABEL_SUFFIXES = frozenset({".png", ".tif", ".tiff", ".bmp"})
THREE_BYTES = 0xFFFFFF


def read_segment_ids(path: str | Path) -> np.ndarray:
    """Read a panoptic PNG.

    Args:
        path: an RGB picture, ``id = R + 256·G + 65536·B``.

    Returns:
        (H, W) int32 segment ids, 0 is void.

    Raises:
        DataError: missing or not a picture.
    """
    return _read_pixels(path) & THREE_BYTES


def read_segment_runs(path: str | Path) -> Runs:
    """Read a panoptic PNG as runs of segment ids; as :func:`read_segment_ids`, faster."""
    runs = Runs.of(_read_pixels(path))
    return runs._replace(values=runs.values & THREE_BYTES)


def read_labels(path: str | Path) -> np.ndarray:
    """Read a semantic PNG or TIFF.

    Args:
        path: a picture of one channel whose values are contiguous class ids, 8 or 16 bits.

    Returns:
        (H, W) integers.

    Raises:
        DataError: missing, not a picture, or of several channels.
    """
    labels = _read(path)
    if labels.ndim != 2:
        raise DataError(
            f"The label picture {path} has {labels.shape[-1]} channels; expected one, whose values are class ids."
        )
    return labels


def write_segment_ids(path: str | Path, ids: np.ndarray) -> None:
    """Write a panoptic PNG, whole or not at all.

    Args:
        path: the file.
        ids: (H, W) integers in 0 … 16 777 215.
    """
    with replacing(path) as temporary:
        Image.fromarray(id_to_rgb(ids)).save(temporary)


def write_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write a semantic PNG (8 bits) or TIFF (16 bits), whole or not at all.

    Args:
        path: the file; its ending tells the format.
        labels: (H, W) uint8 or uint16.
    """
    with replacing(path) as temporary:
        Image.fromarray(labels).save(temporary)


def ground_truth_file(record: dict[str, Any], field: str) -> str:
    """Return the file that a record names in ``field``.

    Raises:
        DataError: the record names none.
    """
    if not record.get(field):
        raise DataError(
            f"The record of image {image_name(record)} has no {field}: the data set lacks the ground truth that this "
            "metric needs; switch its read-out off."
        )
    return record[field]


def files_by_name(folder: str | Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Return all files below a folder that have one of the endings, by their path in it without the ending.

    Raises:
        DataError: two of them differ in the ending alone.
    """
    folder = Path(folder)
    found: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in suffixes and not path.name.startswith("."):
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in found:
                raise DataError(f"{found[name]} and {path} have the same name: remove one of them.")
            found[name] = path
    return found


def image_name(record: dict[str, Any]) -> str:
    """Return what to call a record's image in messages."""
    return str(record.get("image_id", record.get("file_name", "without id")))


def _read_pixels(path: str | Path) -> np.ndarray:
    """Return (H, W) int32 whose lower three bytes are R, G, B."""
    with _opened(path) as picture:
        colours = picture if picture.mode == "RGB" else picture.convert("RGB")
        # Pillow keeps the three channels in four bytes: taken as they are, they are the numbers
        pixels = np.frombuffer(colours.tobytes("raw", "RGBX"), dtype="<i4")
        return pixels.reshape(picture.height, picture.width)


def _read(path: str | Path) -> np.ndarray:
    with _opened(path) as picture:
        return np.asarray(picture)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as picture:
            yield picture
    except FileNotFoundError as error:
        raise DataError(f"The picture {path} does not exist.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"The picture {path} cannot be decoded: {error}.") from error
