"""Categories of a COCO JSON: id, name, thing/stuff flag and colour, checked."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.data.formats.annotation_file import JsonObject, read_annotations
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
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
    try:
        listed = content["categories"]
        categories = [_category(entry, index, path) for index, entry in enumerate(listed)]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} has no categories in COCO's form, each with id and name ({error}): get the file again."
        ) from error
    ids = [category.id for category in categories]
    if not categories or len(set(ids)) < len(ids):
        double = next((f", but {number} is listed twice" for number in ids if ids.count(number) > 1), "")
        raise DataError(f"{path} must list categories, each with a distinct id{double}: get the file again.")
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


def _category(entry: JsonObject, index: int, path: Path) -> JsonCategory:
    number, name = _whole_number(entry["id"]), entry["name"]
    if number is None:
        raise DataError(
            f"{path} has the id {entry['id']!r} in entry {index + 1} of its categories, expected a whole number: "
            "correct the file."
        )
    if not isinstance(name, str) or not name.replace(",", " ").strip():
        raise DataError(
            f"{path} has the name {name!r} for category {number}, expected the name of a class: correct the file, or "
            "give the names in a file with &classes=…"
        )
    flag = entry.get("isthing")
    try:
        isthing = True if flag is None else parse_flag(flag)
    except ValueError as error:
        raise DataError(f"{path}, category {number}: isthing {error}.") from error
    return JsonCategory(number, " ".join(name.replace(",", " ").split()), isthing, _colour(entry.get("color"), path))


def _whole_number(value: Any) -> int | None:
    """Return an id that is written as a number or as text; None for anything else."""
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdecimal():
        return int(value)
    is_whole = not isinstance(value, bool) and isinstance(value, (int, float)) and value == value // 1
    return int(value) if is_whole else None


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
