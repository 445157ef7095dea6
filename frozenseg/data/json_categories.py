"""Categories of a COCO JSON: id, name, thing/stuff flag and colour, checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.errors import DataError, shown
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.coco_file import categories_by_id
from frozenseg.structures.coco_values import JsonObject
from frozenseg.structures.palette import Colour
from frozenseg.vocabulary.line import parse_colour, parse_flag

logger = get_logger(__name__)


class JsonCategory(NamedTuple):
    """One category of a file.

    Attributes:
        id: in the annotations.
        name: without commas, which separate synonyms.
        isthing: True unless the file has ``isthing`` 0.
        colour: 0-255; None if the file has none.
    """

    id: int
    name: str
    isthing: bool
    colour: Colour | None


def read_json_categories(path: Path) -> list[JsonCategory]:
    """Read the categories of an annotation file.

    Roboflow's category for the whole project, the supercategory of all others, is left out if no object has it.

    Raises:
        DataError: the file is not JSON, or its categories have no names or no distinct whole numbers as ids.
    """
    content = read_annotations(path)
    listed = list(categories_by_id(content, str(path)).values())
    categories = [_category(entry, path) for entry in listed]
    project = _project_category(listed, content)
    if project is None:
        return categories
    warn_once(
        logger,
        "%s: the category %d, %r, is left out, as it groups all others and no object has it.",
        path,
        *categories[project][:2],
    )
    return categories[:project] + categories[project + 1 :]


def _category(entry: JsonObject, path: Path) -> JsonCategory:
    number, name = entry["id"], entry.get("name")
    if not isinstance(name, str) or not name.replace(",", " ").strip():
        raise DataError(
            f"{path} has the name {shown(name)} for category {number}, expected the name of a class: correct the file, "
            "or give the names in a file with &classes=…"
        )
    flag = entry.get("isthing")
    try:
        isthing = True if flag is None else parse_flag(flag)
    except ValueError as error:
        raise DataError(f"{path}, category {number}: isthing {error}.") from error
    if "," in name:
        message = "%s: the comma in %r, and others in names, are read as spaces; &classes=FILE can list synonyms."
        warn_once(logger, message, path, name[:60], key=f"{path} comma")
    return JsonCategory(number, " ".join(name.replace(",", " ").split()), isthing, _colour(entry.get("color"), path))


def _colour(value: Any, path: Path) -> Colour | None:
    if not value:
        return None
    try:
        return parse_colour([round(part) for part in value] if isinstance(value, list) else value)
    except (ValueError, TypeError, OverflowError):
        warn_once(logger, "%s: the colour %.60r of a category is not read; drawings use another.", path, value)
        return None


def _project_category(listed: list[JsonObject], content: JsonObject) -> int | None:
    """Return the index of Roboflow's category for the project, or None."""
    for index, entry in enumerate(listed):
        others = [other.get("supercategory") for other in listed if other is not entry]
        if entry.get("supercategory") == "none" and others and set(map(str, others)) == {entry["name"]}:
            return None if entry["id"] in _used_categories(content) else index
    return None


def _used_categories(content: JsonObject) -> Iterator[Any]:
    annotations = content.get("annotations")
    for annotation in annotations if isinstance(annotations, list) else ():
        if isinstance(annotation, dict):
            yield annotation.get("category_id")
            segments = annotation.get("segments_info")
            for segment in segments if isinstance(segments, list) else ():
                yield segment.get("category_id") if isinstance(segment, dict) else None
