"""What converters of picture files share: splits that are not there, sizes, copies, and tables of classes."""

import csv
import shutil
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import TypeVar

from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.errors import DataError
from frozenseg.log import get_logger

logger = get_logger(__name__)
Item = TypeVar("Item")


def available_splits(title: str, found: dict[str, Sequence[Item]], source: str) -> dict[str, Sequence[Item]]:
    """Leave out splits without pictures, and say so in the log.

    Args:
        title: the data set's name.
        found: split → its pictures.
        source: where to get the raw files; a sentence.

    Raises:
        DataError: no split has any.
    """
    there = {split: pictures for split, pictures in found.items() if pictures}
    if not there:
        raise DataError(f"{title}: nothing is there of the splits {', '.join(found)}. {source}")
    for split in (split for split in found if split not in there):
        logger.info("%s: the split %s is not there and left out.", title, split)
    return there


def check_image_size(picture: Path, labels: Path, shape: tuple[int, ...]) -> None:
    """Check that a picture is of the size of its labels.

    Args:
        picture: the file; only its header is read.
        labels: the file of the labels, for the message.
        shape: their height and width.

    Raises:
        DataError: the picture is missing, cannot be decoded or has another size.
    """
    try:
        with Image.open(picture) as image:
            width, height = image.size
    except FileNotFoundError as error:
        raise DataError(f"The picture {picture}, which {labels} belongs to, does not exist.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"The picture {picture} cannot be decoded: {error}.") from error
    if (height, width) != tuple(shape[:2]):
        raise DataError(
            f"{labels} is {shape[1]} × {shape[0]} pixels, its picture {picture} {width} × {height}; expected one size."
        )


def copy_file(source: Path, target: Path) -> None:
    """Copy a file, whole or not at all."""
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def read_image_list(path: Path) -> list[str]:
    """Read a list of pictures: the first word of each line; empty where there is no such file.

    Raises:
        DataError: it is no text.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    except UnicodeDecodeError as error:
        raise DataError(f"The list of pictures {path} is no text ({error}): unpack it anew.") from error
    return [line.split()[0] for line in lines if line.strip()]


def read_table(file_name: str) -> list[dict[str, str]]:
    """Read a table of ``frozenseg/data/categories`` as it stands there, a dictionary a row."""
    text = resources.files("frozenseg.data").joinpath("categories", file_name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines(), delimiter="\t"))
