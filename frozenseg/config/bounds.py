"""Bounds of config values: the numbers, texts and lists that a key accepts, with their unit.

::

    between(0, 1)                    a number from 0 to 1
    whole(1, 65_536, "pixels")       a whole number from 1 to 65536 pixels
    above(0)                         a number above 0
    one_of("ADAMW", "SGD")           one of these texts or numbers
    list_of(whole(1), "ascending")   a list whose elements are bounded
    SWITCH, PATH, NAME               True or False, a file or folder, the name of something that is looked up later
"""

import math
from dataclasses import dataclass
from typing import Any, Literal

from frozenseg.errors import did_you_mean

MAX_STEPS = 10**9
MAX_PIXELS = 65_536  # side of an image; more than any decoder reads
MAX_TEXT = 4_096  # characters; paths are at most that long
Order = Literal["any", "ascending"]


@dataclass(frozen=True)
class Numbers:
    """Numbers from ``low`` to ``high``; not a number and infinity are never inside.

    Attributes:
        low: smallest number, or the largest one that is too small if ``exclusive``.
        high: largest number; infinity for none.
        unit: of the number, plural; empty for a number without unit.
        exclusive: True if ``low`` itself is too small.
        integer: True for whole numbers.
        multiple: number that a whole number must be a multiple of.
        infinite: True if infinity is accepted.
    """

    low: float
    high: float = math.inf
    unit: str = ""
    exclusive: bool = False
    integer: bool = False
    multiple: int = 1
    infinite: bool = False

    def accept(self, value: Any) -> bool:
        """Return True if a number is inside."""
        if math.isnan(value) or (math.isinf(value) and not self.infinite) or (self.integer and value % self.multiple):
            return False
        return (value > self.low if self.exclusive else value >= self.low) and value <= self.high

    def expected(self, value: Any = None) -> str:
        """Describe the numbers inside, for a message about ``value``."""
        kind = "a whole number" if self.integer else "a number"
        kind = f"a multiple of {self.multiple}" if self.multiple > 1 else kind
        unit = f" {self.unit}" if self.unit else ""
        if self.exclusive:
            end = f" and at most {_plain(self.high)}" if math.isfinite(self.high) else ""
            return f"{kind} above {_plain(self.low)}{end}{unit}"
        return f"{kind} from {_plain(self.low)} to {_plain(self.high)}{unit}"


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

    def expected(self, value: Any = None) -> str:
        """Describe the set, with the choice that is nearest to ``value``."""
        hint = did_you_mean(str(value), map(str, self.values), limit=1).removeprefix(" Did you mean ").rstrip("?")
        listed = " or ".join(map(repr, self.values))
        return f"{listed} (the nearest is {hint})" if hint and len(self.values) > 1 else listed


@dataclass(frozen=True)
class Text:
    """Text without control characters, of a limited length.

    Attributes:
        kind: of the text, for messages.
    """

    kind: str

    def accept(self, value: Any) -> bool:
        """Return True for a text that can name something."""
        return len(value) <= MAX_TEXT and "\0" not in value

    def expected(self, value: Any = None) -> str:
        """Describe the text."""
        return f"{self.kind}: text of at most {MAX_TEXT} characters without NUL"


@dataclass(frozen=True)
class Switch:
    """True or False."""

    def accept(self, value: Any) -> bool:
        """Return True for a bool."""
        return isinstance(value, bool)

    def expected(self, value: Any = None) -> str:
        """Describe the values."""
        return "True or False"


@dataclass(frozen=True)
class Rows:
    """A list of lists, whose elements the code that reads them checks."""

    def accept(self, value: Any) -> bool:
        """Return True for a list of lists."""
        return isinstance(value, list) and all(isinstance(row, list) for row in value)

    def expected(self, value: Any = None) -> str:
        """Describe the list."""
        return "a list of lists"


@dataclass(frozen=True)
class Lists:
    """Lists whose elements are bounded.

    Attributes:
        elements: bounds of each element.
        shortest: smallest number of elements.
        longest: largest number of elements.
        ascending: True if each element is above the one before.
    """

    elements: Numbers | Text
    shortest: int = 0
    longest: int = 10_000
    ascending: bool = False

    def accept(self, value: Any) -> bool:
        """Return True if the length, the elements and their order are right."""
        if not self.shortest <= len(value) <= self.longest or not all(map(self.elements.accept, value)):
            return False
        return not self.ascending or all(first < second for first, second in zip(value, value[1:], strict=False))

    def expected(self, value: Any = None) -> str:
        """Describe the lists."""
        length = f"{self.shortest}" if self.shortest == self.longest else f"{self.shortest} to {self.longest}"
        order = ", in ascending order" if self.ascending else ""
        return f"a list of {length} elements, each {self.elements.expected()}{order}"


Bounds = Numbers | Choices | Text | Switch | Rows | Lists

SWITCH = Switch()
PATH = Text("a path")
NAME = Text("a name")
ROWS = Rows()


def whole(low: int, high: int, unit: str = "", multiple: int = 1) -> Numbers:
    """Return the bounds of whole numbers from ``low`` to ``high`` that are multiples of a number."""
    return Numbers(low, high, unit, integer=True, multiple=multiple)


def between(low: float, high: float, unit: str = "") -> Numbers:
    """Return the bounds of numbers from ``low`` to ``high``, both inside."""
    return Numbers(low, high, unit)


def above(low: float, high: float = math.inf, unit: str = "") -> Numbers:
    """Return the bounds of numbers above ``low``, up to ``high``."""
    return Numbers(low, high, unit, exclusive=True)


def one_of(*values: Any) -> Choices:
    """Return the bounds of a closed set of values."""
    return Choices(values)


def list_of(elements: Numbers | Text, shortest: int = 0, longest: int = 10_000, order: Order = "any") -> Lists:
    """Return the bounds of lists with bounded elements."""
    return Lists(elements, shortest, longest, order == "ascending")


def _plain(number: float) -> str:
    return str(number) if isinstance(number, int) else f"{number:g}"
