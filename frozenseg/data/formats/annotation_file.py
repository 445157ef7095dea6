"""Reading of annotation files: JSON as a whole, with errors that name the file and how to prepare it."""

import os
from pathlib import Path
from typing import Any

from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError, MissingDataError
from frozenseg.structures.coco_values import JsonObject
from frozenseg.structures.json_files import read_json


def read_annotations(path: str | Path) -> JsonObject:
    """Read an annotation file.

    Raises:
        DataError: it is not JSON, or not an object.
    """
    content = read_json(path, "annotation file")
    if not isinstance(content, dict):
        raise DataError(f"The annotation file {path} is not in COCO's format: a JSON object is expected at the top.")
    return content


def existing_path(metadata: Metadata, field: str, kind: str) -> Path:
    """Return the path in a field of the metadata.

    Args:
        metadata: of the data set.
        field: such as ``json_file``.
        kind: of the file or folder, for the message.

    Raises:
        MissingDataError: it does not exist; the message names it and how to prepare the data set.
    """
    path = metadata.get(field)
    if not path or not os.path.exists(path):
        raise MissingDataError(f"{metadata.name}: the {kind} {path} does not exist; {metadata.prepare_command}.")
    return Path(path)


def refuse_repeated_images(metadata: Metadata, path: Path, image_ids: list[Any]) -> None:
    """Check that every image is listed once.

    Args:
        metadata: of the data set.
        path: of the annotation file.
        image_ids: as listed in the file.

    Raises:
        DataError: an id is listed twice.
    """
    known: set[str] = set()
    for image_id in map(str, image_ids):
        if image_id in known:
            raise DataError(f"{path}: image {image_id} is listed twice; {metadata.repair_advice}.")
        known.add(image_id)
