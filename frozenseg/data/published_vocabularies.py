"""Files of class names that published results were made with: their names and their numbers of class names.

The files come with FC-CLIP and FrozenSeg and are not part of this package. DATASETS.VOCABULARY_FOLDER is a folder that
holds them.
"""

import os
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once

logger = get_logger(__name__)
KEY = "DATASETS.VOCABULARY_FOLDER"
ENDING = "_with_prompt_eng.txt"


class PublishedVocabulary(NamedTuple):
    """Published file of class names.

    Attributes:
        stem: name of the file without ``ENDING``.
        names: number of names, all synonyms counted, of the classes of the data set; 0 if it was not published.
    """

    stem: str
    names: int

    @property
    def file_name(self) -> str:
        """Name of the file."""
        return f"{self.stem}{ENDING}"


# by ``Metadata.published_seen``
PUBLISHED_VOCABULARIES = {
    "coco_panoptic_133": PublishedVocabulary("coco_panoptic", 254),
    "ade20k_150": PublishedVocabulary("ade20k_150", 403),
    "ade20k_847": PublishedVocabulary("ade20k_847", 1342),
    "cityscapes_19": PublishedVocabulary("cityscapes", 60),
    "mapillary_65": PublishedVocabulary("mapillary_vistas", 153),
    "pascal_context_59": PublishedVocabulary("pascal_ctx_59", 160),
    "pascal_context_459": PublishedVocabulary("pascal_ctx_459", 559),
    "voc_21": PublishedVocabulary("pascal_voc_21", 153),
    "voc_20": PublishedVocabulary("pascal_voc_21", 79),  # without its first class, the background
    "lvis_1203": PublishedVocabulary("lvis_1203", 0),
}
RAW_NAMES = {"lvis_1203"}  # published results were made with the names of the data set: the file may be missing


def published_file(folder: str, published_key: str, name: str) -> Path | None:
    """Return the file of class names of a data set in a folder of published files, None if the data set has none.

    Args:
        folder: DATASETS.VOCABULARY_FOLDER.
        published_key: :attr:`Metadata.published_seen` of the data set.
        name: name of the data set, for messages.

    Raises:
        DataError: the folder or the file does not exist.
    """
    directory = Path(os.path.expanduser(folder))
    if not os.path.isdir(directory):
        raise DataError(f"{KEY} is {folder!r}, which is not a folder: name the folder of the files {_expected()}.")
    published = PUBLISHED_VOCABULARIES.get(published_key)
    path = directory / published.file_name if published else None
    if path is not None and path.is_file():
        return path
    if path is None or published_key in RAW_NAMES:
        logger.info("%s: no published file of class names in %s; the names of the data set are used.", name, folder)
        return None
    raise DataError(
        f"{KEY} {folder} has no {path.name}, the class names of {name}: add the file (published names: {_expected()}), "
        f"or give another one with DATASETS.VOCABULARIES {name}=FILE."
    )


def check_count(published_key: str, count: int, path: str | Path, name: str) -> None:
    """Log the number of class names of a published file; warn if it is another one than that of published results.

    Args:
        published_key: :attr:`Metadata.published_seen` of the data set.
        count: number of names of the classes of the data set, all synonyms counted.
        path: the file.
        name: name of the data set.
    """
    expected = PUBLISHED_VOCABULARIES[published_key].names
    if not expected:
        warn_once(
            logger,
            "%s: %d names in %s, but published results were made with the names of the data set: remove the file from "
            "the folder to reproduce these.",
            name,
            count,
            path,
        )
    elif count == expected:
        logger.info("%s: %d names, as published.", name, count)
    else:
        warn_once(
            logger,
            "%s: %d names in %s, expected the %d of published results: scores are not comparable with these, compare "
            "the file with the published one.",
            name,
            count,
            path,
            expected,
        )


def _expected() -> str:
    return ", ".join(dict.fromkeys(published.file_name for published in PUBLISHED_VOCABULARIES.values()))
