"""Image files of downloads: available splits, lists of images, size checks and copies; and the category tables."""

import csv
import shutil
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from frozenseg.atomic import replacing
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.label_files import stored_size

logger = get_logger(__name__)
UNPACK = "unpack the download again"
_Items = TypeVar("_Items", bound=Sequence[object])


def available_splits(title: str, splits: Mapping[str, _Items], source: str) -> dict[str, _Items]:
    """Return the splits that have images; log the others.

    Args:
        title: official name of the data set.
        splits: split → its images.
        source: where to get the raw files; a sentence.

    Raises:
        DataError: no split has images.
    """
    available = {split: images for split, images in splits.items() if images}
    if not available:
        raise DataError(f"{title}: no images of the splits {', '.join(splits)} exist. {source}")
    for split in splits:
        if split not in available:
            logger.info("%s: the split %s does not exist and is skipped.", title, split)
    return available


def check_image_size(image: Path, labels: Path, shape: tuple[int, ...]) -> None:
    """Check that an image has the size of its labels.

    Args:
        image: the file; only its header is read.
        labels: file of the labels, for the message.
        shape: height and width of the labels.

    Raises:
        DataError: the image is missing, cannot be decoded or has another size.
    """
    size = stored_size(image)
    if size is None and not image.exists():
        raise DataError(f"The image {image} of the labels {labels} does not exist.")
    if size is None:
        raise DataError(f"The image {image} cannot be decoded: {UNPACK}.")
    height, width = size
    if (height, width) != tuple(shape[:2]):
        raise DataError(
            f"{labels} has {shape[1]} × {shape[0]} pixels, its image {image} {width} × {height}; expected equal sizes."
        )


def copy_file(source: Path, target: Path) -> None:
    """Copy a file atomically."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def read_image_list(path: Path) -> list[str]:
    """Read a list of image names, the first column of each line; empty if the file does not exist.

    Raises:
        DataError: the file is not text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise DataError(f"The image list {path} is not a text file ({error}): unpack it again.") from error
    return [line.split()[0] for line in lines if line.strip()]


def read_category_table(file_name: str) -> list[dict[str, str]]:
    """Read a table of ``frozenseg/data/categories``, one dictionary per row."""
    table = resources.files("frozenseg.data") / "categories" / file_name
    return list(csv.DictReader(table.read_text(encoding="utf-8").splitlines(), delimiter="\t"))
