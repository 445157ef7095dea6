"""Entries of JSON files with checked access to their fields, and ids that two files spell differently."""

import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from frozenseg.errors import DataError, shown
from frozenseg.structures.coco_values import existing_key, read_flag
from frozenseg.structures.record import ImageId

LARGEST_INTEGER = 2**53  # above, a float does not represent all integers


@dataclass(frozen=True)
class CheckedEntry:
    """JSON object with a name for messages.

    Attributes:
        name: such as ``Prediction 3 of lines.json``.
        fields: content of the object.
    """

    name: str
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, value: object, name: str, expected: str) -> "CheckedEntry":
        """Check that a JSON value is an object.

        Args:
            value: the JSON value.
            name: of the entry, for messages.
            expected: fields of such an entry, for the message.

        Raises:
            DataError: it is not an object.
        """
        if not isinstance(value, dict):
            raise DataError(f"{name} is {kind_of(value)}: expected an object with {expected}.")
        return cls(name, value)

    def entries(self, field: str, kind: str, parent: object, expected: str) -> Iterator["CheckedEntry"]:
        """Yield the objects in a list, with names such as ``Category 2 (id 18) of truth.json``.

        Args:
            field: of the list.
            kind: of its entries, such as ``Category``.
            parent: file or image that they belong to.
            expected: fields of its entries, for messages.

        Raises:
            DataError: the field is missing, not a list, or has an entry that is not an object.
        """
        values = self.required(field, f"a list of objects with {expected}")
        if not isinstance(values, list):
            raise self.refused(field, f"a list of objects with {expected}")
        for number, value in enumerate(values, 1):
            yield CheckedEntry.of(value, f"{kind} {number}{_id_of(value)} of {parent}", expected)

    def required(self, field: str, expected: str) -> Any:
        """Return the value of a field.

        Raises:
            DataError: the field is missing.
        """
        if field not in self.fields:
            raise DataError(f"{self.name} has no {field}: expected {expected}.")
        return self.fields[field]

    def integer(self, field: str, smallest: int, largest: int = LARGEST_INTEGER, meaning: str = "an integer") -> int:
        """Return an integer, which may be written as a float without fraction.

        Raises:
            DataError: the field is missing, not an integer, or out of range.
        """
        expected = f"{meaning}, {smallest} to {largest}"
        value = self.required(field, expected)
        if not is_finite_number(value) or value != int(value) or not smallest <= value <= largest:
            raise self.refused(field, expected)
        return int(value)

    def number(self, field: str) -> float:
        """Return a finite number.

        Raises:
            DataError: the field is missing or not a finite number.
        """
        value: object = self.required(field, "a finite number")
        if not is_finite_number(value):
            raise self.refused(field, "a finite number")
        return value

    def flag(self, field: str) -> bool:
        """Return a flag, see :func:`read_flag`.

        Raises:
            DataError: the field is missing, null, or has another value.
        """
        value = self.required(field, "0 or 1")
        if value is None:
            raise self.refused(field, "0 or 1")
        try:
            return read_flag(value, field)
        except ValueError as error:
            raise self.refused(field, "0 or 1") from error

    def text(self, field: str, expected: str) -> str:
        """Return a text that is not empty.

        Raises:
            DataError: the field is missing, not a text, or empty.
        """
        value = self.required(field, expected)
        if not isinstance(value, str) or not value.strip():
            raise self.refused(field, expected)
        return value

    def identifier(self, field: str) -> ImageId:
        """Return an id: an integer (which may be written as a float without fraction) or a text.

        Raises:
            DataError: the field is missing or has another type.
        """
        value = self.required(field, "an integer or a text")
        if isinstance(value, str) and value:
            return value
        if not is_finite_number(value) or value != int(value):
            raise self.refused(field, "an integer or a text")
        return int(value)

    def refused(self, field: str, expected: str) -> DataError:
        """Return the error for a wrong value of a field."""
        return DataError(f"{self.name} has the {field} {shown(self.fields[field])}: expected {expected}.")


class KnownIds:
    """Ids of the ground truth, and those of the predictions that are the same number in another spelling.

    Args:
        ids: of the ground truth, all different.
        kind: such as ``image``, for the note.
    """

    def __init__(self, ids: Collection[ImageId], kind: str) -> None:
        self.kind = kind
        self._index = {number: index for index, number in enumerate(ids)}
        self._respelled: dict[ImageId, ImageId] = {}

    def match(self, entry: CheckedEntry, field: str) -> ImageId:
        """Return the id of the ground truth that a field of a prediction names, see :func:`existing_key`.

        Raises:
            DataError: the field is missing, not an id, or unknown to the ground truth.
        """
        value = entry.identifier(field)
        known = existing_key(value, self._index)
        if known is None:
            few = ", ".join(shown(number) for number in list(self._index)[:3])
            raise DataError(
                f"{entry.name} has the {field} {shown(value)}, which the ground truth does not have: expected one of "
                f"its {len(self._index)} {self.kind} ids ({few}{', …' if len(self._index) > 3 else ''})."
            )
        if known != value:
            self._respelled[value] = known
        return known

    def index(self, entry: CheckedEntry, field: str) -> int:
        """Return the position of an id among those of the ground truth; see :meth:`match`."""
        return self._index[self.match(entry, field)]

    def notes(self) -> list[str]:
        """Return a sentence about ids in another spelling; empty if there are none."""
        if not self._respelled:
            return []
        (spelled, meant), *_ = self._respelled.items()
        return [
            f"{len(self._respelled)} {self.kind} ids of the predictions are written differently, such as "
            f"{shown(spelled)} for {shown(meant)} of the ground truth: they are read as the same ids."
        ]


def kind_of(value: object) -> str:
    """Return a JSON value for a message; of lists and objects that are not empty their size only."""
    if isinstance(value, (list, dict)) and value:
        return f"a list of {len(value)}" if isinstance(value, list) else f"an object with {', '.join(list(value)[:5])}"
    return shown(value)


def is_finite_number(value: object) -> TypeGuard[float]:
    """Return True for integers and floats that are finite as float64; bool is no number here."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return abs(value) <= 1e300 and math.isfinite(value)


def _id_of(value: object) -> str:
    """Return the id of an entry in brackets; empty if it has none."""
    field = next((field for field in ("id", "image_id") if isinstance(value, dict) and field in value), None)
    return f" ({field} {shown(value[field])})" if field and isinstance(value, dict) else ""
