"""Values of annotation files: ids, flags and whole numbers, in the types that tools write instead of COCO's."""

from collections.abc import Collection
from typing import Any, TypeVar

from frozenseg.errors import DataError, shown
from frozenseg.structures.rle import whole_number

JsonObject = dict[str, Any]
_Key = TypeVar("_Key", bound=int | str)
FLAGS = {"0": False, "1": True, "false": False, "true": True, "no": False, "yes": True}
ADVICE = "correct the file, or export or download it again"
MAX_DIGITS = 19  # of a number that is written as text


def number_in(value: Any) -> int | None:
    """Return the whole number that a value means: a number without fraction, or text of its digits; otherwise None."""
    if isinstance(value, str):
        digits = value.strip()
        is_number = digits.removeprefix("-").isdecimal() and digits.isascii() and len(digits) <= MAX_DIGITS
        return int(digits) if is_number else None
    return whole_number(value)


def existing_key(value: Any, keys: Collection[_Key]) -> _Key | None:
    """Return the key that an id means: the id, the number of its text, or the text of the number; otherwise None.

    Args:
        value: of the file.
        keys: dictionary or set of ids.
    """
    if type(value) in (int, str) and value in keys:
        return value
    if isinstance(value, bool) or not isinstance(value, int | str | float):
        return None
    number = number_in(value)
    for key in (value if isinstance(value, str) else number, number, str(number)):
        if key is not None and key in keys:
            return key  # type: ignore[return-value]
    return None


def read_flag(value: Any, name: str) -> bool:
    """Return a flag that is written as 0 or 1, as a JSON boolean, as null (0), or as text of these.

    Args:
        value: of the file.
        name: of the field, for the message.

    Raises:
        ValueError: the value is any other.
    """
    if value is None:
        return False
    flag = FLAGS.get(value.strip().lower()) if isinstance(value, str) else None
    if isinstance(value, bool | int | float) and value in (0, 1):
        flag = bool(value)
    if flag is None:
        raise ValueError(f"its {name} is {shown(value)}, expected 0 or 1")
    return flag


def field_text(entry: JsonObject, field: str) -> str:
    """Return a field with its value for a message, such as ``has the id 5``, or ``has no id``."""
    return f"has the {field} {shown(entry[field])}" if field in entry else f"has no {field}"


def refused(path: str, problem: str) -> DataError:
    """Return the error for an invalid entry of a file; the problem names the entry, its value and the expected one."""
    return DataError(f"{path}: {problem}; {ADVICE}.")
