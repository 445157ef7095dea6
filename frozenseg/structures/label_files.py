"""Annotation and prediction images: segment ids (panoptic PNG) and class labels (semantic PNG or TIFF)."""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

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
        path: an RGB image, ``id = R + 256·G + 65536·B``.

    Returns:
        (H, W) int32 segment ids, 0 is void.

    Raises:
        DataError: the file is missing or is not an image.
    """
    return _read_pixels(path) & THREE_BYTES


def read_segment_runs(path: str | Path) -> Runs:
    """Read a panoptic PNG as runs of segment ids: :func:`read_segment_ids` and :meth:`Runs.of`, but faster."""
    runs = Runs.of(_read_pixels(path))
    return runs._replace(values=runs.values & THREE_BYTES)


def read_labels(path: str | Path) -> np.ndarray:
    """Read a semantic PNG or TIFF.

    Args:
        path: an image of one channel with class ids as values, 8 or 16 bits.

    Returns:
        (H, W) integers.

    Raises:
        DataError: the file is missing, is not an image, or has several channels.
    """
    labels = _read(path)
    if labels.ndim != 2:
        raise DataError(
            f"The label image {path} has {labels.shape[-1]} channels; expected one channel with class ids as values."
        )
    return labels


def write_segment_ids(path: str | Path, ids: np.ndarray) -> None:
    """Write a panoptic PNG atomically.

    Args:
        path: the file.
        ids: (H, W) integers in 0 … 16 777 215.
    """
    with replacing(path) as temporary:
        Image.fromarray(id_to_rgb(ids)).save(temporary)


def write_labels(path: str | Path, labels: np.ndarray) -> None:
    """Write a semantic PNG (8 bits) or TIFF (16 bits) atomically.

    Args:
        path: the file; its suffix is the format.
        labels: (H, W) uint8 or uint16.
    """
    with replacing(path) as temporary:
        Image.fromarray(labels).save(temporary)


def walk_files(folder: str | Path) -> Iterator[Path]:
    """Yield the files below a folder; hidden files and folders are left out, links to folders are followed once.

    ``__MACOSX`` counts as hidden: archives from macOS hold a copy of every file name there.
    """
    visited: set[str] = set()
    for parent, folders, names in os.walk(folder, followlinks=True):
        visited.add(os.path.realpath(parent))
        folders[:] = sorted(
            name
            for name in folders
            if not _is_hidden(name) and os.path.realpath(os.path.join(parent, name)) not in visited
        )
        yield from (Path(parent, name) for name in sorted(names) if not _is_hidden(name))


def files_by_name(folder: str | Path, suffixes: Collection[str]) -> dict[str, Path]:
    """Find files by suffix, recursively.

    Args:
        folder: searched with its subfolders; hidden files are ignored.
        suffixes: in lower case, with the dot.

    Returns:
        Paths by name: the path relative to ``folder`` without the suffix, in alphabetical order.

    Raises:
        DataError: two files differ only in their suffix.
    """
    folder = Path(folder)
    files: dict[str, Path] = {}
    for path in sorted(walk_files(folder)):
        if path.suffix.lower() in suffixes:
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in files:
                raise DataError(f"{files[name]} and {path} have the same name: remove one of them.")
            files[name] = path
    return files


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _read_pixels(path: str | Path) -> np.ndarray:
    """Return (H, W) int32 pixels; the lower three bytes are R, G, B."""
    with _opened(path) as image:
        colours = image if image.mode == "RGB" else image.convert("RGB")
        # Pillow stores the three channels in four bytes, which are the little-endian ids (and an unused fourth byte)
        pixels = np.frombuffer(colours.tobytes("raw", "RGBX"), dtype="<i4")
        return pixels.reshape(image.height, image.width)


def _read(path: str | Path) -> np.ndarray:
    with _opened(path) as image:
        return np.asarray(image)


@contextmanager
def _opened(path: str | Path) -> Iterator[Image.Image]:
    try:
        with Image.open(path) as image:
            yield image
    except FileNotFoundError as error:
        raise DataError(f"The image {path} does not exist.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"The image {path} cannot be decoded: {error}.") from error
