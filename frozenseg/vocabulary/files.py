"""Files of class names, in three formats, and their alignment with the classes of a data set.

The formats are recognised by their content: numbered lines ``3:cat,kitten``, plain lines ``cat,kitten``, and tables
with tabs and a header (``id``, ``name``, and optionally ``synonyms``, ``isthing``, ``r``, ``g``, ``b``).
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DataError

NUMBERED = re.compile(r"\s*\d+\s*:")
INVALID_NAME = "invalid_class_id"  # name in published files for numbers without a class
Synonyms = tuple[str, ...]


class VocabularyLine(NamedTuple):
    """One class of a file.

    Attributes:
        id: number of the class; None if the file has no numbers.
        names: synonyms of the class; the first one is its name in reports.
        isthing: True for countable classes (things), False for stuff; None if the file does not specify it.
        rgb: colour in drawings, 0-255; None if the file has no colours.
    """

    id: int | None
    names: Synonyms
    isthing: bool | None = None
    rgb: tuple[int, int, int] | None = None


def read_vocabulary_lines(path: str | Path) -> list[VocabularyLine]:
    """Read the classes of a file.

    Empty lines, lines that begin with ``#`` and numbers without a class (``invalid_class_id``) are skipped.

    Args:
        path: text file in UTF-8.

    Returns:
        Classes in the order of the file; either all of them have a number or none.

    Raises:
        DataError: the file is missing, has no class, has a duplicate number, or has a line of another format.
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The file of class names {path} cannot be read as text ({error}).") from error
    lines = {number: line for number, line in enumerate(text.splitlines(), start=1) if _has_content(line)}
    if any("\t" in line for line in lines.values()):
        classes = _read_table(path, lines)
    elif any(NUMBERED.match(line) for line in lines.values()):
        classes = [_read_numbered(path, number, line) for number, line in lines.items() if INVALID_NAME not in line]
    else:
        classes = [VocabularyLine(None, _names(path, number, line)) for number, line in lines.items()]
    if not classes:
        raise DataError(f"The file of class names {path} has no class: write one line per class, such as cat,kitten.")
    ids = [line.id for line in classes if line.id is not None]
    if duplicates := [number for number in set(ids) if ids.count(number) > 1]:
        raise DataError(f"The file of class names {path} has the number {min(duplicates)} twice, expected it once.")
    return classes


def match_to_dataset(
    lines: Sequence[VocabularyLine], ids: Sequence[int], path: str | Path, name: str
) -> list[Synonyms]:
    """Return the classes of a file in the order of a data set's classes.

    Published files number the classes as the annotations do, from 0, or from 1; files that count from 1 may have a
    class 0 for "no class". Lines without numbers are in the order of the data set.

    Args:
        lines: classes of the file.
        ids: numbers of the data set's C classes in its annotations, in contiguous order.
        path: the file, for messages.
        name: name of the data set, for messages.

    Returns:
        Synonyms of each of the C classes.

    Raises:
        DataError: the file has more or fewer classes, or other numbers.
    """
    count = len(ids)
    by_id: dict[int, Synonyms] = {line.id: line.names for line in lines if line.id is not None}
    if not by_id and len(lines) == count:
        return [line.names for line in lines]
    numbers = f", numbered {min(by_id)} to {max(by_id)}" if by_id else ""
    if len(by_id) == count + 1 and min(by_id) == 0:
        del by_id[0]
    for order in (list(ids), list(range(count)), list(range(1, count + 1))):
        if by_id.keys() == set(order):
            return [by_id[number] for number in order]
    raise DataError(
        f"{path} has {len(lines)} classes{numbers}, {name} has {count}, numbered {min(ids)} to {max(ids)}: list every "
        "class, with these numbers, or numbered from 0 or 1 without a gap, or without numbers in the order of the data "
        "set."
    )


def _has_content(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _names(path: Path, number: int, text: str) -> Synonyms:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise DataError(f"{path}, line {number}: the class has no name; write it as cat,kitten.")
    return names


def _read_numbered(path: Path, number: int, line: str) -> VocabularyLine:
    parts = line.split(":")
    if len(parts) != 2 or not NUMBERED.match(line):
        raise DataError(
            f"{path}, line {number}: {line.strip()!r} is not in the format of the other lines; expected a number, one "
            "colon and the names, such as 3:cat,kitten."
        )
    return VocabularyLine(int(parts[0]), _names(path, number, parts[1]))


def _read_table(path: Path, lines: dict[int, str]) -> list[VocabularyLine]:
    header, *numbers = lines
    columns = [column.strip() for column in lines[header].split("\t")]
    if missing := {"id", "name"} - set(columns):
        raise DataError(
            f"{path}, line {header}: {' and '.join(sorted(missing))} {'is' if len(missing) == 1 else 'are'} missing "
            "from the column names in the first line of the table."
        )
    rows = csv.DictReader([lines[number] for number in numbers], columns, delimiter="\t", quoting=csv.QUOTE_NONE)
    return [_read_row(path, number, row) for number, row in zip(numbers, rows, strict=True)]


def _read_row(path: Path, number: int, row: dict[str, str]) -> VocabularyLine:
    names = _names(path, number, row.get("synonyms") or row["name"] or "")
    isthing = row["isthing"].strip() == "1" if row.get("isthing") else None
    try:
        rgb = (int(row["r"]), int(row["g"]), int(row["b"])) if row.get("r") else None
        return VocabularyLine(int(row["id"]), names, isthing, rgb)
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}, line {number}: id, r, g and b must be whole numbers, and r, g and b must be set together "
            f"(received {error})."
        ) from error
