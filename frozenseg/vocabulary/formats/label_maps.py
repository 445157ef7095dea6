"""Label maps of tools: CVAT's ``labelmap.txt``, TensorFlow's ``label_map.pbtxt``, and tables of colours.

Tables of colours have one class per line, ``cat 128 0 0``, ``128 0 0 cat``, ``1 cat 128 0 0`` or ``cat #800000``.
"""

import re

from frozenseg.vocabulary.formats.class_file import ClassFile, match_lines, shortened
from frozenseg.vocabulary.line import VocabularyLine, parse_colour, split_names

_RGB = r"(\d{1,3})[\s,;]+(\d{1,3})[\s,;]+(\d{1,3})"
_CVAT = re.compile(r"\s*(?P<name>.+?):\s*(?P<rgb>\d{1,3}\s*,\s*\d{1,3}\s*,\s*\d{1,3})?\s*:[^:]*:[^:]*")
_COLOURS = tuple(  # each with two groups, one of them named name, and the colour between or after them
    re.compile(rf"\s*{pattern}\s*")
    for pattern in (
        rf"(?P<id>\d{{1,9}})[\s,:;]+(?P<name>\D.*?)[\s,:;]+(?P<rgb>{_RGB})",
        rf"(?P<name>\D.*?)[\s,:;]+(?P<rgb>{_RGB})",
        rf"(?P<rgb>{_RGB})[\s,:;]+(?P<name>\D.*?)",
        r"(?P<name>[^\s#].*?)[\s,:;=]+(?P<rgb>#[0-9a-fA-F]{6})",
        r"(?P<rgb>#[0-9a-fA-F]{6})[\s,:;=]+(?P<name>\S.*?)",
    )
)
_ITEM = re.compile(r"item\s*\{([^{}]*)\}")
_FIELD = re.compile(r"\b(id|name|display_name)\s*:\s*(?:'([^'\n]*)'|\"([^\"\n]*)\"|(\d{1,9}))")


def read_cvat_labelmap(file: ClassFile) -> list[VocabularyLine] | None:
    """Read CVAT's ``labelmap.txt``, ``label:color_rgb:parts:actions``; return None for a file of another format.

    The number of a class is its index from 0, as in the label images that CVAT writes next to it.

    Raises:
        DataError: a colour is out of range.
    """
    matches = match_lines(file, _CVAT)
    if matches is None:
        return None
    return [_coloured(file, number, match)._replace(id=index) for index, (number, match) in enumerate(matches.items())]


def read_colour_list(file: ClassFile) -> list[VocabularyLine] | None:
    """Read lines with a name and a colour, and optionally a number; return None for a file of another format.

    Raises:
        DataError: a colour is out of range.
    """
    for pattern in _COLOURS:
        if matches := match_lines(file, pattern):
            return [_coloured(file, number, match) for number, match in matches.items()]
    return None


def read_tensorflow_label_map(file: ClassFile) -> list[VocabularyLine] | None:
    """Read ``item { id: 1 name: 'cat' }``; return None for a file of another format.

    Raises:
        DataError: an item has no id or no name.
    """
    if not re.match(r"\s*item\s*\{", file.text):
        return None
    classes = []
    for item in _ITEM.findall(file.text):
        fields = {key: single or double or number for key, single, double, number in _FIELD.findall(item)}
        name = fields.get("display_name") or fields.get("name")
        if not name or not fields.get("id", "").isdecimal():
            raise file.error(f"the item {shortened(' '.join(item.split()))} needs an id and a name")
        classes.append(VocabularyLine(int(fields["id"]), split_names(name)))
    return classes


def _coloured(file: ClassFile, number: int, match: re.Match[str]) -> VocabularyLine:
    fields = match.groupdict()
    names = split_names(fields["name"])
    if not names:
        raise file.error("the class has no name; write it as cat,kitten", number)
    try:
        colour = parse_colour(fields["rgb"]) if fields["rgb"] else None
    except ValueError as error:
        raise file.error(f"{error}", number) from error
    return VocabularyLine(int(fields["id"]) if fields.get("id") else None, names, None, colour)
