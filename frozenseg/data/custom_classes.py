"""Classes of a custom data set: from the ``categories`` of a COCO JSON, or from these and a class list."""

import os
from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.json_categories import JsonCategory, read_json_categories
from frozenseg.data.spec import CategoryRow
from frozenseg.errors import DataError
from frozenseg.structures.palette import Colour, vocabulary_colours
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines, refuse_shifted
from frozenseg.vocabulary.names import normal_name


def classes_of_json(json_file: Path, path: Path | None) -> tuple[CategoryRow, ...]:
    """Read the classes of a COCO JSON, in the order of its ``categories``; they are things unless ``isthing`` is 0.

    Args:
        json_file: the annotations.
        path: path of a class list that replaces the names of the JSON; its lines are matched to the categories by id if
            the list has numbers, otherwise by name or by order. None: the names of the JSON.

    Raises:
        DataError: a file is invalid, or the list does not match the JSON.
    """
    if not os.path.isfile(json_file):
        raise DataError(f"The annotation file {json_file} does not exist: correct the path in the data set's name.")
    categories = read_json_categories(json_file)
    lines = _matching_lines(categories, path, json_file) if path is not None else [None] * len(categories)
    names = [(category.name,) if line is None else line.names for category, line in zip(categories, lines, strict=True)]
    colours = vocabulary_colours([of_class[0] for of_class in names])
    return tuple(map(_row, categories, lines, names, colours))


def _row(
    category: JsonCategory, line: VocabularyLine | None, names: tuple[str, ...], name_colour: Colour
) -> CategoryRow:
    isthing = category.isthing
    colour = category.colour or name_colour
    if line is not None:
        isthing = isthing if line.isthing is None else line.isthing
        colour = line.rgb or colour
    return CategoryRow(category.id, names, isthing, colour)


def _matching_lines(categories: Sequence[JsonCategory], path: Path, json_file: Path) -> list[VocabularyLine]:
    """Return the line of the class list that belongs to each category."""
    lines = read_vocabulary_lines(path)
    numbered = {line.id: line for line in lines if line.id is not None}
    if numbered:
        if missing := [category.id for category in categories if category.id not in numbered]:
            raise DataError(
                f"{path} has no line for category {missing[0]} of {json_file}: write one for every category, by its id."
            )
        ordered = [numbered[category.id] for category in categories]
        names = [(category.name,) for category in categories]
        refuse_shifted(names, [line.names for line in ordered], path, str(json_file))
        return ordered
    line_of_name = {normal_name(name): index for index, line in reversed(list(enumerate(lines))) for name in line.names}
    matches = [line_of_name.get(normal_name(category.name)) for category in categories]
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
