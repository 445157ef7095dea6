"""Lists with one class per line: numbered, plain, of labelme, with bullets or under a heading."""

import re

from frozenseg.vocabulary.formats.class_file import ClassFile
from frozenseg.vocabulary.formats.names_in_lines import names_in_line
from frozenseg.vocabulary.formats.numbered_lists import read_names_with_numbers, read_numbered_list
from frozenseg.vocabulary.line import VocabularyLine

INVALID_NAME = "invalid_class_id"  # name in published files for numbers without a class
_IGNORED = "__ignore__"  # labelme's class -1, 255 in its label images
BACKGROUND = "_background_"  # labelme's class 0
HEADINGS = frozenset({
    "name", "names", "class", "classes", "class_name", "class_names", "class name", "classname", "label", "labels",
    "label_name", "category", "categories", "category_name",
})  # fmt: skip
_BULLET = re.compile(r"\s*[-*•]\s+(?=\S)")


def without_heading(file: ClassFile) -> tuple[ClassFile, str]:
    """Return a list without the heading in its first line, such as ``class_name``, and the heading; empty for none."""
    first = next(iter(file.lines), 0)
    heading = file.lines.get(first, "").strip()
    if len(file.lines) < 2 or heading.lower() not in HEADINGS:
        return file, ""
    return file._replace(lines={number: line for number, line in file.lines.items() if number != first}), heading


def read_list(file: ClassFile) -> list[VocabularyLine]:
    """Read a list with one class per line.

    Raises:
        DataError: some lines are in another format than the others, or cannot be names.
    """
    lines = {number: line for number, line in file.lines.items() if INVALID_NAME not in line}
    if all(map(_BULLET.match, lines.values())):
        lines = {number: _BULLET.sub("", line) for number, line in lines.items()}
    file = file._replace(lines=lines)
    return read_numbered_list(file) or read_names_with_numbers(file) or _read_plain(file)


def _read_plain(file: ClassFile) -> list[VocabularyLine]:
    names = [line.strip() for line in file.lines.values()]
    if len(names) == 1 and ";" in names[0]:  # the syntax of the command line
        names = [part for part in names[0].split(";") if part.strip()]
        return [VocabularyLine(None, names_in_line(file, next(iter(file.lines)), name)) for name in names]
    if _IGNORED in names or BACKGROUND in names:
        return _read_labelme(file)
    return [VocabularyLine(None, names_in_line(file, number, line)) for number, line in file.lines.items()]


def _read_labelme(file: ClassFile) -> list[VocabularyLine]:
    """Read labelme's ``labels.txt``: ``__ignore__`` is unlabelled (-1), ``_background_`` is class 0."""
    lines = [(number, line) for number, line in file.lines.items() if line.strip() != _IGNORED]
    names = [line.strip() for _, line in lines]
    if BACKGROUND in names[1:] or not names:
        raise file.error(f"{BACKGROUND} must be the first class of a list of labelme, once, after {_IGNORED}")
    return [
        VocabularyLine(index, ("background",) if name == BACKGROUND else names_in_line(file, number, name))
        for index, (number, name) in enumerate(lines)
        for name in [name.strip()]
    ]
