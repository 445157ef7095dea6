"""Class of a class list, :class:`VocabularyLine`, and the parsers of its names, colour and thing/stuff flag."""

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

Synonyms = tuple[str, ...]
Rgb = tuple[int, int, int]
_HEX = re.compile(r"#([0-9a-fA-F]{6})(?:[0-9a-fA-F]{2})?")
_TRIPLE = re.compile(r"(?:rgb)?[(\[]?\s*(\d{1,3})\s*[\s,;]\s*(\d{1,3})\s*[\s,;]\s*(\d{1,3})\s*[)\]]?")
_FLAGS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


class VocabularyLine(NamedTuple):
    """One class of a file.

    Attributes:
        id: number of the class; None if the file has no numbers.
        names: synonyms of the class; the first one is its name in reports.
        isthing: True for countable classes (things), False for stuff; None if the file does not specify it.
        rgb: colour in drawings and in colour masks, 0-255; None if the file has no colours.
    """

    id: int | None
    names: Synonyms
    isthing: bool | None = None
    rgb: Rgb | None = None


def split_names(text: str, separators: str = ",") -> Synonyms:
    """Return the synonyms of a class, without spaces around them and without empty ones.

    Args:
        text: such as ``cat, kitten``.
        separators: characters between two names.
    """
    return tuple(name for part in re.split(f"[{separators}]", text) if (name := part.strip()))


def parse_colour(value: Any) -> Rgb:
    """Return a colour of 0-255.

    Args:
        value: three numbers, or a text such as ``#ff0000``, ``255 0 0`` or ``(255, 0, 0)``.

    Raises:
        ValueError: it is no colour.
    """
    if isinstance(value, str):
        if match := _HEX.fullmatch(value.strip()):
            red, green, blue = bytes.fromhex(match[1])
            return red, green, blue
        match = _TRIPLE.fullmatch(value.strip())
        numbers: Sequence[Any] = [int(number) for number in match.groups()] if match else []
    else:
        numbers = value if isinstance(value, (list, tuple)) else []
    if len(numbers) not in (3, 4) or not all(type(number) is int and 0 <= number <= 255 for number in numbers):
        raise ValueError(f"{value!r:.60} is no colour: expected three numbers of 0 to 255, or #rrggbb")
    return numbers[0], numbers[1], numbers[2]


def parse_flag(value: Any) -> bool:
    """Return True or False for 1 or 0, ``true`` or ``false``, ``yes`` or ``no``, as numbers or as text.

    Raises:
        ValueError: it is none of them.
    """
    key = str(int(value)) if isinstance(value, (bool, int)) else str(value).strip().lower()
    if key not in _FLAGS:
        raise ValueError(f"{value!r:.60} is no flag: expected 1 or 0")
    return _FLAGS[key]
