"""Tables with a header line, as class lists: separated by tabs, semicolons, bars or commas (CSV)."""

import csv
import re
from typing import NamedTuple

from frozenseg.vocabulary.formats.class_file import ClassFile, shortened
from frozenseg.vocabulary.line import Rgb, VocabularyLine, parse_colour, parse_flag, split_names

LONGEST_ROW = 100_000  # characters; the csv module refuses longer fields
DELIMITERS = ("\t", ";", "|", ",")
_ID_COLUMNS = (
    "id", "class_id", "classid", "label_id", "category_id", "index", "idx", "pixel_value", "value", "trainid",
)  # fmt: skip
_NAME_COLUMNS = (
    "name", "class_name", "classname", "label_name", "category_name", "names", "class", "label", "category",
)  # fmt: skip
_THING_COLUMNS = {"isthing": True, "is_thing": True, "thing": True, "instances": True, "stuff": False, "isstuff": False}
_COLOUR_COLUMNS = ("color", "colour", "rgb", "hex", "color_rgb", "colour_rgb", "hex_color", "rgb_color", "hex_code")
_RGB_COLUMNS = (("r", "g", "b"), ("red", "green", "blue"))
_INDEX_COLUMNS = ("", "unnamed_0")  # header of the index that pandas writes
_WHOLE = re.compile(r"\d+")


class _Columns(NamedTuple):
    """Positions of the columns of a table."""

    name: int
    id: int | None
    synonyms: int | None
    thing: tuple[int, bool] | None  # position, and the flag that 1 means
    colour: tuple[int, ...]  # one column, or three


def read_table(file: ClassFile) -> list[VocabularyLine] | None:
    """Read a table whose first line names its columns; return None for a file of another format.

    Columns are recognised by their names: ``id`` (or ``index``, ``pixel value`` …), ``name`` (or ``class``, ``label``
    …), and optionally ``synonyms``, ``isthing`` and a colour: ``r``, ``g``, ``b``, or ``color``. Others are ignored.

    Raises:
        DataError: a column is missing or ambiguous, or a line does not fit the header.
    """
    first = next(iter(file.lines), None)
    if first is None or max(map(len, file.lines.values())) > LONGEST_ROW:
        return None
    for delimiter in DELIMITERS:
        header = _cells(file.lines[first], delimiter)
        if len(header) > 1 and _is_header(header, delimiter):
            rows = _rows(file, header, delimiter)
            columns = _columns(file, first, header, rows, native=delimiter == "\t")
            return [_class(file, number, row, columns) for number, row in rows.items()]
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == "\t":
        return [cell.strip() for cell in line.split(delimiter)]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])]


def _keys(header: list[str]) -> list[str]:
    return [re.sub(r"[^a-z0-9]+", "_", cell.lower()).strip("_") for cell in header]


def _is_header(header: list[str], delimiter: str) -> bool:
    """Return True if the cells of a line are names of columns."""
    keys = _keys(header)
    names = [key for key in keys if key in _NAME_COLUMNS or key == "synonyms"]
    others = [key for key in keys if key in (*_ID_COLUMNS, *_THING_COLUMNS, *_COLOUR_COLUMNS)]
    others += [rgb[0] for rgb in _RGB_COLUMNS if set(rgb) <= set(keys)]
    known = len(names) + len(others) > 1 or (keys[0] in _INDEX_COLUMNS and bool(names))
    return known or (delimiter == "\t" and bool(names or others))


def _rows(file: ClassFile, header: list[str], delimiter: str) -> dict[int, list[str]]:
    """Return the cells of the lines below the header, by line number."""
    rows = {number: _cells(line, delimiter) for number, line in list(file.lines.items())[1:]}
    for number, row in rows.items():
        while len(row) > len(header) and not row[-1]:  # separators at the end of a line
            row.pop()
        if len(row) > len(header):
            raise file.error(
                f"{len(row)} columns, but the header names {len(header)} ({', '.join(header)}); put a name that "
                f"contains {delimiter!r} in double quotes",
                number,
            )
        row += [""] * (len(header) - len(row))
    return rows


def _columns(file: ClassFile, first: int, header: list[str], rows: dict[int, list[str]], native: bool) -> _Columns:
    keys = _keys(header)
    whole = [all(_WHOLE.fullmatch(row[index]) for row in rows.values()) for index in range(len(keys))]
    names = [index for index, key in enumerate(keys) if key in _NAME_COLUMNS and not (whole[index] and rows)]
    named_ids = [index for index, key in enumerate(keys) if key in _ID_COLUMNS]
    ids = named_ids or [index for index, key in enumerate(keys) if key in _NAME_COLUMNS and whole[index] and rows]
    if not ids and keys[0] in _INDEX_COLUMNS and whole[0]:
        ids = [0]
    synonyms = keys.index("synonyms") if "synonyms" in keys else None
    if "name" in keys and keys.index("name") in names:
        names = [keys.index("name")]
    missing = [] if names or synonyms is not None else ["name"]
    if missing := [*(["id"] if native and not ids else []), *missing]:
        raise file.error(
            f"{' and '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing from the column names in the "
            f"first line of the table; received {', '.join(header)}",
            first,
        )
    for kind, positions in (("names", names), ("numbers", ids)):
        if len({tuple(row[index] for row in rows.values()) for index in positions}) > 1:
            raise file.error(
                f"several columns hold the {kind} of the classes, {', '.join(header[index] for index in positions)}; "
                "keep one of them",
                first,
            )
    thing = next(((index, _THING_COLUMNS[key]) for index, key in enumerate(keys) if key in _THING_COLUMNS), None)
    name = names[0] if names else synonyms
    return _Columns(name or 0, ids[0] if ids else None, synonyms, thing, _colour_columns(keys))


def _colour_columns(keys: list[str]) -> tuple[int, ...]:
    for triple in _RGB_COLUMNS:
        present = [key for key in triple if key in keys]
        if present:  # an incomplete colour is refused in the first line that has one
            return tuple(keys.index(key) for key in present)
    return next(((index,) for index, key in enumerate(keys) if key in _COLOUR_COLUMNS), ())


def _class(file: ClassFile, number: int, row: list[str], columns: _Columns) -> VocabularyLine:
    listed = row[columns.synonyms] if columns.synonyms is not None else ""
    names = split_names(listed or row[columns.name], ",;")
    if not names:
        raise file.error("the class has no name; write it as cat,kitten", number)
    try:
        class_id = None if columns.id is None else int(row[columns.id])
        return VocabularyLine(class_id, names, _thing(row, columns), _colour(row, columns))
    except ValueError as error:
        raise file.error(
            "id, r, g and b must be whole numbers, colours of 0 to 255 that are set together, and isthing 1 or 0 "
            f"(received {shortened(' '.join(row))}: {error})",
            number,
        ) from error


def _thing(row: list[str], columns: _Columns) -> bool | None:
    if columns.thing is None or not row[columns.thing[0]]:
        return None
    index, meaning = columns.thing
    return parse_flag(row[index]) == meaning


def _colour(row: list[str], columns: _Columns) -> Rgb | None:
    text = " ".join(row[index] for index in columns.colour).strip()
    return parse_colour(text) if text else None
