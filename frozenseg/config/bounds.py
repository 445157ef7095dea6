"""Bounds of config values: the numbers, texts and lists that a key accepts, with their unit.

::

    between(0, 1)                           a number from 0 to 1
    whole(1, 65_536, "pixels")              a whole number from 1 to 65536 pixels
    above(0, 1_000)                         a number above 0, at most 1000
    one_of("ADAMW", "SGD")                  one of these values
    list_of(between(0, 255), 3, 3)          a list of 3 elements, each a number from 0 to 255
    SWITCH, NAME, PATH, NESTED_LISTS        True or False; a name or path, looked up where it is used; lists of lists
"""

import math
import unicodedata
from dataclasses import dataclass
from typing import Any

from frozenseg.errors import did_you_mean

MAX_STEPS = 10**9
MAX_SIDE = 65_536  # side of an image; image formats end there
MAX_TEXT = 4_096  # characters; the longest path of Linux
MAX_LIST = 10_000  # elements
CONTROL = ("Cc", "Zl", "Zp")  # Unicode categories of control characters and line separators


@dataclass(frozen=True)
class Numbers:
    """Numbers from ``low`` to ``high``; never NaN.

    Attributes:
        low: smallest number, or the largest one that is too small if ``exclusive``.
        high: largest number.
        unit: of the number, plural; empty for a number without unit.
        exclusive: True if ``low`` itself is too small.
        integer: True for whole numbers.
        multiple: number that a whole number must be a multiple of.
        infinite: True if infinity is accepted as well.
    """

    low: float
    high: float
    unit: str = ""
    exclusive: bool = False
    integer: bool = False
    multiple: int = 1
    infinite: bool = False

    def accept(self, value: Any) -> bool:
        """Return True if a number is inside."""
        if self.infinite and value == math.inf:
            return True
        if self.integer and value % self.multiple:
            return False
        above = self.low < value if self.exclusive else self.low <= value
        return bool(above and value <= self.high)  # False for NaN

    def expected(self) -> str:
        """Describe the numbers inside."""
        kind = f"a multiple of {self.multiple}" if self.multiple > 1 else "a number"
        kind = "a whole number" if self.integer and self.multiple == 1 else kind
        ends = f"above {self.low}, at most {self.high}" if self.exclusive else f"from {self.low} to {self.high}"
        return f"{kind} {ends} {self.unit}".rstrip() + (", or infinity" if self.infinite else "")

    def hint(self, value: Any) -> str:
        """Return nothing: the ends are the hint."""
        del value
        return ""


@dataclass(frozen=True)
class Choices:
    """A closed set of values.

    Attributes:
        values: all of them.
    """

    values: tuple[Any, ...]

    def accept(self, value: Any) -> bool:
        """Return True for a value of the set."""
        return value in self.values

    def expected(self) -> str:
        """Describe the set."""
        return " or ".join(map(repr, self.values))

    def hint(self, value: Any) -> str:
        """Return a hint with the nearest texts of the set."""
        return did_you_mean(value, self.values) if isinstance(value, str) else ""


@dataclass(frozen=True)
class Text:
    """Free text without control characters.

    Attributes:
        kind: of the text, for messages.
    """

    kind: str

    def accept(self, value: Any) -> bool:
        """Return True for a text that can be a name or a path."""
        return len(value) <= MAX_TEXT and not any(unicodedata.category(character) in CONTROL for character in value)

    def expected(self) -> str:
        """Describe the text."""
        return f"{self.kind} of at most {MAX_TEXT} characters without line breaks and control characters"

    def hint(self, value: Any) -> str:
        """Return a hint if a backslash was read as an escape sequence, as in double quotes of YAML."""
        text = "".join(value) if isinstance(value, list) else value
        return "" if len(text) > MAX_TEXT else " In a YAML file, write a path with backslashes in single quotes."


@dataclass(frozen=True)
class Switch:
    """True or False."""

    def accept(self, value: Any) -> bool:
        """Return True for a bool."""
        return isinstance(value, bool)

    def expected(self) -> str:
        """Describe the values."""
        return "True or False"

    def hint(self, value: Any) -> str:
        """Return nothing."""
        del value
        return ""


@dataclass(frozen=True)
class Lists:
    """Lists with bounded elements.

    Attributes:
        elements: bounds of each element; None for rows, which the code that reads them checks.
        shortest: smallest number of elements.
        longest: largest number of elements.
        ascending: True if each element is above the one before.
    """

    elements: Numbers | Text | None
    shortest: int = 0
    longest: int = MAX_LIST
    ascending: bool = False

    def accept(self, value: Any) -> bool:
        """Return True if the number, the bounds and the order of the elements are right."""
        if not self.shortest <= len(value) <= self.longest:
            return False
        if self.elements is not None and not all(map(self.elements.accept, value)):
            return False
        return not self.ascending or all(first < second for first, second in zip(value, value[1:], strict=False))

    def expected(self) -> str:
        """Describe the lists."""
        number = f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest} to {self.longest}"
        elements = "a row" if self.elements is None else self.elements.expected()
        return f"a list of {number} elements{' in ascending order' if self.ascending else ''}, each {elements}"

    def hint(self, value: Any) -> str:
        """Return the hint of the first element that is outside."""
        if self.elements is None or not self.shortest <= len(value) <= self.longest:
            return ""
        wrong = [element for element in value if not self.elements.accept(element)]
        return self.elements.hint(wrong[0]) if wrong else ""


Bounds = Numbers | Choices | Text | Switch | Lists

SWITCH = Switch()
NAME = Text("a name")
PATH = Text("a path")
NESTED_LISTS = Lists(None)
PERIOD = Numbers(0, MAX_STEPS, "steps", integer=True)  # 0: off


def whole(low: int, high: int, unit: str = "", multiple: int = 1) -> Numbers:
    """Return the bounds of whole numbers from ``low`` to ``high`` that are multiples of a number."""
    return Numbers(low, high, unit, integer=True, multiple=multiple)


def between(low: float, high: float, unit: str = "") -> Numbers:
    """Return the bounds of numbers from ``low`` to ``high``, both inside."""
    return Numbers(low, high, unit)


def above(low: float, high: float, unit: str = "") -> Numbers:
    """Return the bounds of numbers above ``low``, up to ``high``."""
    return Numbers(low, high, unit, exclusive=True)


def one_of(*values: Any) -> Choices:
    """Return the bounds of a closed set of values."""
    return Choices(values)


def list_of(elements: Numbers | Text, shortest: int = 0, longest: int = MAX_LIST) -> Lists:
    """Return the bounds of lists with bounded elements."""
    return Lists(elements, shortest, longest)
