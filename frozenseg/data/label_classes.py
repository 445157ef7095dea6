"""Classes of a custom data set with label images: class list, pixel values or colours, and the value to ignore."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from frozenseg.data.spec import CategoryRow
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.label_coding import VOID_COLOUR, LabelCoding
from frozenseg.structures.palette import Colour, vocabulary_colours
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines

logger = get_logger(__name__)
DEFAULT_IGNORE = 255
LARGEST_BYTE, LARGEST_16_BIT = 255, 65535


class LabelClasses(NamedTuple):
    """Classes of label images.

    Attributes:
        rows: the classes; the id of a class is its pixel value.
        first_label: value of the first class after decoding.
        ignore_label: value of unlabelled pixels after decoding.
        coding: decodes label images; None if their values are used as they are: consecutive, from 0 or from 1 on.
    """

    rows: tuple[CategoryRow, ...]
    first_label: int
    ignore_label: int
    coding: LabelCoding | None


def classes_of_labels(path: Path, ignore: str | None = None, values: str | None = None) -> LabelClasses:
    """Read the classes of label images; they are stuff unless the file marks them as things.

    Args:
        path: path of the class list. The pixel value of a class is its number in the list, which may have gaps, or its
            index from 0 if the list has no numbers. If every class has a colour, label images may also hold colours.
        ignore: value of unlabelled pixels, or their colour as ``R,G,B``; None for 255, unless a class of a list
            with gaps has this value.
        values: pixel values of the classes, ``0,255``, in the order of a list without numbers; None for those of the
            list.

    Raises:
        DataError: the file or a setting is invalid, or unlabelled pixels have the value of a class.
    """
    ignored, void_colour = _ignored(ignore)
    lines = read_vocabulary_lines(path)
    if values is not None:
        numbers = _numbers_of_setting(values, lines, path)
    else:
        numbers = [index if line.id is None else line.id for index, line in enumerate(lines)]
        order = sorted(range(len(lines)), key=numbers.__getitem__)
        lines, numbers = [lines[index] for index in order], [numbers[index] for index in order]
    consecutive = numbers[0] in (0, 1) and numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    if ignore is None and not consecutive and ignored in numbers:
        ignored = None
        if values is None:
            name = lines[numbers.index(DEFAULT_IGNORE)].names[0]
            message = "%s: 255 is the value of the class %r, so that no value means unlabelled; &ignore=… sets one."
            warn_once(logger, message, path, name)
    _check_ignored(ignored, void_colour, numbers, lines, path)
    first = numbers[0] if consecutive else 0
    unlabelled = ignored
    if unlabelled is None or not consecutive:
        unlabelled = LARGEST_BYTE if first + len(lines) <= LARGEST_BYTE else LARGEST_16_BIT
    colours = _distinct_colours(lines)
    coding = LabelCoding(
        tuple(line.names[0] for line in lines),
        tuple(numbers),
        colours,
        ignored,
        ignore is None,
        first,
        unlabelled,
        void_colour,
    )
    plain = consecutive and not colours and ignored is not None
    return LabelClasses(_rows(lines, numbers), first, unlabelled, None if plain else coding)


def _numbers_of_setting(values: str, lines: Sequence[VocabularyLine], path: Path) -> list[int]:
    parts = [part.strip() for part in values.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal()]
    if len(numbers) != len(parts) or len(set(numbers)) != len(numbers) or len(numbers) != len(lines):
        raise DataError(
            f"values is {values!r}: expected {len(lines)} different pixel values, one for each class of {path} in its "
            "order, such as values=0,255."
        )
    if lines[0].id is not None:
        raise DataError(f"values is {values!r}, but {path} has a number for each class: leave one of them out.")
    return numbers


def _ignored(ignore: str | None) -> tuple[int | None, Colour]:
    """Return the value and the colour of unlabelled pixels; a colour excludes a value."""
    if ignore is None:
        return DEFAULT_IGNORE, VOID_COLOUR
    parts = [part.strip() for part in ignore.split(",")]
    numbers = [int(part) for part in parts if part.isascii() and part.isdecimal()]
    if len(numbers) == len(parts) == 1:
        return numbers[0], VOID_COLOUR
    if len(numbers) == len(parts) == 3 and max(numbers) <= LARGEST_BYTE:
        return None, (numbers[0], numbers[1], numbers[2])
    raise DataError(
        f"ignore is {ignore!r} in the name of the data set: expected a pixel value such as 255 or 0, or a colour such "
        "as 0,0,0."
    )


def _check_ignored(
    ignored: int | None, void_colour: Colour, numbers: Sequence[int], lines: Sequence[VocabularyLine], path: Path
) -> None:
    """Check that neither the value nor the colour of unlabelled pixels belongs to a class."""
    if ignored in numbers:
        name = lines[numbers.index(ignored)].names[0]
        raise DataError(
            f"The value {ignored} of unlabelled pixels is also the value of a class in {path}, {name!r}: choose "
            "another value with &ignore=… (65535 if there are more than 255 classes)."
        )
    for line in lines:
        if line.rgb == void_colour != VOID_COLOUR:
            raise DataError(
                f"The colour {void_colour} of unlabelled pixels is also that of a class in {path}, {line.names[0]!r}: "
                "remove the class from the list, or leave &ignore=… out."
            )


def _distinct_colours(lines: Sequence[VocabularyLine]) -> tuple[Colour, ...]:
    """Return the colours of the classes; none if a class has none, or two classes share one."""
    colours = tuple(line.rgb for line in lines if line.rgb is not None)
    return colours if len(set(colours)) == len(lines) else ()


def _rows(lines: Sequence[VocabularyLine], numbers: Sequence[int]) -> tuple[CategoryRow, ...]:
    colours = vocabulary_colours([line.names[0] for line in lines])
    return tuple(
        CategoryRow(number, line.names, bool(line.isthing), line.rgb or colour)
        for number, line, colour in zip(numbers, lines, colours, strict=True)
    )
