"""Lists of classes in files, in the forms that people have them, and how they fit the classes of a data set.

Three forms, told apart by their content: numbered lines ``3:cat,kitten``, plain lines ``cat,kitten``, and tables with
tabs under a header (``id``, ``name``, and where wanted ``synonyms``, ``isthing``, ``r``, ``g``, ``b``).
"""

import csv
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DataError

NUMBERED = re.compile(r"\s*\d+\s*:")
NO_CLASS = "invalid_class_id"  # what published lists write beside numbers that stand for nothing
Words = tuple[str, ...]


class VocabularyLine(NamedTuple):
    """One class of a file.

    Attributes:
        id: its number; None where the file gives none.
        names: the words for it, the first one stands in reports.
        isthing: countable or not; None where the file does not say.
        rgb: colour in drawings, 0-255; None where the file gives none.
    """

    id: int | None
    names: Words
    isthing: bool | None = None
    rgb: tuple[int, int, int] | None = None


def read_vocabulary_lines(path: str | Path) -> list[VocabularyLine]:
    """Read a list of classes.

    Empty lines, lines that begin with ``#`` and numbers without a class (``invalid_class_id``) are left out.

    Returns:
        The classes in the order of the file; either all have a number or none has.

    Raises:
        DataError: the file is missing, holds no class, gives a number twice, or has a line of another form (named).
    """
    path = Path(path).expanduser()
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"The list of classes {path} cannot be read as text ({error}).") from error
    lines = {place: line for place, line in enumerate(text.splitlines(), start=1) if _counts(line)}
    if any("\t" in line for line in lines.values()):
        found = _read_table(path, lines)
    elif any(NUMBERED.match(line) for line in lines.values()):
        found = [_read_numbered(path, place, line) for place, line in lines.items() if NO_CLASS not in line]
    else:
        found = [VocabularyLine(None, _names(path, place, line)) for place, line in lines.items()]
    if not found:
        raise DataError(f"The list of classes {path} holds no class: write one line a class, such as cat,kitten.")
    numbers = [line.id for line in found if line.id is not None]
    if doubles := [number for number in set(numbers) if numbers.count(number) > 1]:
        raise DataError(f"The list of classes {path} gives the number {min(doubles)} twice: each class has its own.")
    return found


def match_to(lines: Sequence[VocabularyLine], ids: Sequence[int], path: str | Path, name: str) -> list[Words]:
    """Bring a list of classes into the order of a data set's classes.

    Published lists number a data set's classes as its annotations do, from 0, or from 1; before those from 1 there may
    stand a 0 for what is no class. Lines without numbers are in the data set's order.

    Args:
        lines: the list.
        ids: numbers of the data set's C classes in its annotations, in contiguous order.
        path: of the list, for messages.
        name: of the data set, for messages.

    Returns:
        The words of each class, C of them.

    Raises:
        DataError: the list has more or fewer classes, or other numbers.
    """
    count = len(ids)
    by_number: dict[int, Words] = {line.id: line.names for line in lines if line.id is not None}
    if not by_number and len(lines) == count:
        return [line.names for line in lines]
    numbers = f", numbered {min(by_number)} to {max(by_number)}" if by_number else ""
    if len(by_number) == count + 1 and min(by_number) == 0:
        del by_number[0]
    for order in (list(ids), list(range(count)), list(range(1, count + 1))):
        if by_number.keys() == set(order):
            return [by_number[number] for number in order]
    raise DataError(
        f"{path} has {len(lines)} classes{numbers}, {name} has {count}, numbered {min(ids)} to {max(ids)}: the list "
        "must give every class, by these numbers, from 0 or 1 without a gap, or without numbers in their order."
    )


def _counts(line: str) -> bool:
    return bool(line.strip()) and not line.lstrip().startswith("#")


def _names(path: Path, place: int, text: str) -> Words:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise DataError(f"{path}, line {place}: no word stands there; write a class as cat,kitten.")
    return names


def _read_numbered(path: Path, place: int, line: str) -> VocabularyLine:
    parts = line.split(":")
    if len(parts) != 2 or not NUMBERED.match(line):
        raise DataError(
            f"{path}, line {place}: {line.strip()!r} is not of the form 3:cat,kitten, a number, one colon and the "
            "words, as its other lines are."
        )
    return VocabularyLine(int(parts[0]), _names(path, place, parts[1]))


def _read_table(path: Path, lines: dict[int, str]) -> list[VocabularyLine]:
    header, *places = lines
    columns = [column.strip() for column in lines[header].split("\t")]
    if missing := {"id", "name"} - set(columns):
        raise DataError(
            f"{path}, line {header}: a list of classes with tabs begins with the names of its columns, of which "
            f"{' and '.join(sorted(missing))} {'is' if len(missing) == 1 else 'are'} missing."
        )
    rows = csv.DictReader([lines[place] for place in places], columns, delimiter="\t", quoting=csv.QUOTE_NONE)
    return [_read_row(path, place, row) for place, row in zip(places, rows, strict=True)]


def _read_row(path: Path, place: int, row: dict[str, str]) -> VocabularyLine:
    names = _names(path, place, row.get("synonyms") or row["name"] or "")
    isthing = row["isthing"].strip() == "1" if row.get("isthing") else None
    try:
        colour = [int(row[channel]) for channel in "rgb"] if row.get("r") else None
        return VocabularyLine(int(row["id"]), names, isthing, None if colour is None else (*colour,))  # type: ignore
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path}, line {place}: id, r, g and b must be whole numbers, all there (received {error})."
        ) from error
