"""The classes of one's own data: from a list in a file, from the ``categories`` of a COCO JSON, or from both."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.data.spec import CategoryRow
from frozenseg.errors import DataError
from frozenseg.structures.palette import class_colour
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines


def classes_of_labels(path: Path) -> tuple[tuple[CategoryRow, ...], int]:
    """Read the classes of label pictures; they are stuff where the file does not say otherwise.

    Args:
        path: of the list. A pixel's value is the number that the list gives, or the place in the list, from 0.

    Returns:
        The classes by value, and the value of the first: 0 or 1.

    Raises:
        DataError: the file is wrong, or its numbers have a gap or begin elsewhere.
    """
    lines = read_vocabulary_lines(path)
    numbered = {place if line.id is None else line.id: line for place, line in enumerate(lines)}
    first = min(numbered)
    gaps = [number for number in range(first, first + len(numbered)) if number not in numbered]
    if gaps or first > 1:
        what = f"has no line {gaps[0]}" if gaps else f"begins at {first}"
        raise DataError(
            f"The list of classes {path} {what}: give every value of the label pictures a line, from 0 or from 1 on, "
            "also those that never occur."
        )
    ordered = [numbered[number] for number in sorted(numbered)]
    rows = [
        CategoryRow(first + place, line.names, bool(line.isthing), line.rgb or class_colour(place))
        for place, line in enumerate(ordered)
    ]
    return tuple(rows), first


def classes_of_json(json_file: Path, path: Path | None) -> tuple[CategoryRow, ...]:
    """Read the classes of a COCO JSON, in the order of its ``categories``; they are things where it does not say.

    Args:
        json_file: the annotations.
        path: of a list whose words take the place of the JSON's names: by number where the list has numbers, else by
            name, else by order; None: the names stay.

    Raises:
        DataError: a file is wrong, or the list does not fit the JSON.
    """
    if not json_file.is_file():
        raise DataError(f"The annotation file {json_file} does not exist: correct the path in the data set's name.")
    try:
        categories = [
            {"id": int(category["id"]), "name": str(category["name"]), **_optional(category)}
            for category in read_annotations(json_file)["categories"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{json_file} has no categories in COCO's form, each with id and name ({error}): get it anew."
        ) from error
    if not categories or len({category["id"] for category in categories}) < len(categories):
        raise DataError(f"{json_file} must list categories, each with an id of its own: get it anew.")
    lines = _fitting(categories, path, json_file) if path is not None else [None] * len(categories)
    return tuple(_row(place, category, lines[place]) for place, category in enumerate(categories))


def _optional(category: dict[str, Any]) -> dict[str, Any]:
    return {key: category[key] for key in ("isthing", "color") if category.get(key) is not None}


def _row(place: int, category: dict[str, Any], line: VocabularyLine | None) -> CategoryRow:
    names = (category["name"].replace(",", " "),) if line is None else line.names
    isthing = bool(category.get("isthing", 1))
    colour = category.get("color") or class_colour(place)
    if line is not None:
        isthing = isthing if line.isthing is None else line.isthing
        colour = line.rgb or colour
    return CategoryRow(category["id"], names, isthing, (colour[0], colour[1], colour[2]))


def _fitting(categories: Sequence[dict[str, Any]], path: Path, json_file: Path) -> list[VocabularyLine]:
    """Return the line of each category."""
    lines = read_vocabulary_lines(path)
    numbered = {line.id: line for line in lines if line.id is not None}
    if numbered:
        if lost := [category["id"] for category in categories if category["id"] not in numbered]:
            raise DataError(f"{path} has no line for category {lost[0]} of {json_file}: give all, by their ids.")
        return [numbered[category["id"]] for category in categories]
    places = {name.lower(): place for place, line in reversed(list(enumerate(lines))) for name in line.names}
    found = [places.get(category["name"].lower()) for category in categories]
    known = [place for place in found if place is not None]
    if len(set(known)) == len(found):
        return [lines[place] for place in known]
    if len(lines) == len(found) and all(place in (None, index) for index, place in enumerate(found)):
        return list(lines)
    raise DataError(
        f"{path} has {len(lines)} classes, {json_file} {len(found)} categories, of which {len(known)} stand in the "
        "list by name: put the name of every category into its line, or begin each line with the category's id and a "
        "colon."
    )
