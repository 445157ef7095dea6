"""Annotation files: JSON that is read whole, with an error that names the file."""

import json
from pathlib import Path
from typing import Any

from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError, MissingDataError


def read_annotations(path: str | Path) -> dict[str, Any]:
    """Read an annotation file.

    Raises:
        DataError: it is not JSON, or not an object.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The annotation file {path} cannot be read as JSON ({error}): get it anew.") from error
    if not isinstance(content, dict):
        raise DataError(f"The annotation file {path} is not in COCO's format: a JSON object is expected at the top.")
    return content


def check_paths(metadata: Metadata, **kinds: str) -> None:
    """Check that what a data set is read from exists.

    Args:
        metadata: of the data set.
        **kinds: metadata field that holds the path → what is there, for the message.

    Raises:
        MissingDataError: something is not there; says which and how to prepare the data set.
    """
    for field, kind in kinds.items():
        path = metadata.get(field)
        if not path or not Path(path).exists():
            raise MissingDataError(f"{metadata.name}: the {kind} {path} does not exist; {metadata.prepare_command}.")


def refuse_doubles(metadata: Metadata, path: str | Path, numbers: list[Any]) -> None:
    """Check that every picture is annotated once.

    Args:
        metadata: of the data set.
        path: the annotation file.
        numbers: of the pictures, as they stand in the file.

    Raises:
        DataError: a number stands there twice.
    """
    seen = set()
    for number in numbers:
        if number in seen:
            raise DataError(f"{path}: image {number} stands there twice; {metadata.prepare_command}.")
        seen.add(number)
