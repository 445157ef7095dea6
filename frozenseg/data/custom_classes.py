"""Classes of a custom data set: from the ``categories`` of a COCO JSON, or from these and a class list."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.formats.annotation_file import JsonObject, read_annotations
from frozenseg.data.spec import CategoryRow
from frozenseg.errors import DataError
from frozenseg.structures.palette import Colour, vocabulary_colours
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines, refuse_shifted


def classes_of_json(json_file: Path, path: Path | None) -> tuple[CategoryRow, ...]:
    """Read the classes of a COCO JSON, in the order of its ``categories``; they are things unless ``isthing`` is 0.

    Args:
        json_file: the annotations.
        path: path of a class list that replaces the names of the JSON; its lines are matched to the categories by id if
            the list has numbers, otherwise by name or by order. None: the names of the JSON.

    Raises:
        DataError: a file is invalid, or the list does not match the JSON.
    """
    if not json_file.is_file():
        raise DataError(f"The annotation file {json_file} does not exist: correct the path in the data set's name.")
    try:
        categories = [
            {"id": int(category["id"]), "name": str(category["name"]), **_optional_fields(category)}
            for category in read_annotations(json_file)["categories"]
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{json_file} has no categories in COCO's form, each with id and name ({error}): get the file again."
        ) from error
    if not categories or len({category["id"] for category in categories}) < len(categories):
        raise DataError(f"{json_file} must list categories, each with a distinct id: get the file again.")
    lines = _matching_lines(categories, path, json_file) if path is not None else [None] * len(categories)
    names = [_names(category, line) for category, line in zip(categories, lines, strict=True)]
    colours = vocabulary_colours([of_class[0] for of_class in names])
    return tuple(map(_row, categories, lines, names, colours))


def _optional_fields(category: JsonObject) -> JsonObject:
    return {key: category[key] for key in ("isthing", "color") if category.get(key) is not None}


def _names(category: JsonObject, line: VocabularyLine | None) -> tuple[str, ...]:
    return (" ".join(category["name"].replace(",", " ").split()),) if line is None else line.names


def _row(category: JsonObject, line: VocabularyLine | None, names: tuple[str, ...], name_colour: Colour) -> CategoryRow:
    isthing = bool(category.get("isthing", 1))
    colour: Colour = category.get("color") or name_colour
    if line is not None:
        isthing = isthing if line.isthing is None else line.isthing
        colour = line.rgb or colour
    return CategoryRow(category["id"], names, isthing, (colour[0], colour[1], colour[2]))


def _matching_lines(categories: Sequence[JsonObject], path: Path, json_file: Path) -> list[VocabularyLine]:
    """Return the line of the class list that belongs to each category."""
    lines = read_vocabulary_lines(path)
    numbered = {line.id: line for line in lines if line.id is not None}
    if numbered:
        if missing := [category["id"] for category in categories if category["id"] not in numbered]:
            raise DataError(
                f"{path} has no line for category {missing[0]} of {json_file}: write one for every category, by its id."
            )
        ordered = [numbered[category["id"]] for category in categories]
        names = [(category["name"],) for category in categories]
        refuse_shifted(names, [line.names for line in ordered], path, str(json_file))
        return ordered
    line_of_name = {name.lower(): index for index, line in reversed(list(enumerate(lines))) for name in line.names}
    matches = [line_of_name.get(category["name"].lower()) for category in categories]
    matched = [index for index in matches if index is not None]
    if len(set(matched)) == len(matches):
        return [lines[index] for index in matched]
    if len(lines) == len(matches) and all(match in (None, index) for index, match in enumerate(matches)):
        return list(lines)
    raise DataError(
        f"{path} has {len(lines)} classes, {json_file} {len(matches)} categories, of which {len(matched)} are in the "
        "list by name: write the name of every category into its line, or begin each line with the category's id and a "
        "colon."
    )
