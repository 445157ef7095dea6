"""Exceptions for mistakes of the user, with messages that state the received value, the expected one and the fix.

Every tool prints a :class:`FrozenSegError` as one sentence on stderr and exits with code 2. Bugs of this project raise
assertions and ordinary exceptions, with their traceback.
"""

import difflib
import reprlib
from collections.abc import Iterable
from typing import Any

LARGEST_SHORT = 10**9  # numbers that are shown without a check of their length: ids of many objects
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60  # characters of a value in a message


class FrozenSegError(ValueError):
    """Base class of all errors that the user can correct."""


class ConfigError(FrozenSegError):
    """Wrong config key, value or file."""


class DataError(FrozenSegError):
    """Missing or wrong data set, image or annotation."""


class MissingDataError(DataError):
    """Missing files of a data set, or of a part of it."""


class CheckpointError(FrozenSegError):
    """Weights that cannot be read or that belong to another model."""


class DownloadError(FrozenSegError):
    """File that cannot be downloaded, or that is not the expected one."""


class ShapeError(FrozenSegError):
    """Tensor of another shape than expected."""


def did_you_mean(name: str, valid: Iterable[str], limit: int = 3) -> str:
    """Return a hint with the valid names that are nearest to a wrong one.

    Args:
        name: wrong name.
        valid: all valid names.
        limit: largest number of names in the hint.

    Returns:
        ``" Did you mean 'a' or 'b'?"``, or an empty string if no name is similar.
    """
    matches = difflib.get_close_matches(name, list(valid), n=limit, cutoff=0.5)
    if not matches:
        return ""
    return " Did you mean " + " or ".join(repr(match) for match in matches) + "?"


def shown(value: Any) -> str:
    """Return a received value for a message: its ``repr``, abbreviated, whatever its depth and length."""
    if type(value) is int and -LARGEST_SHORT < value < LARGEST_SHORT:
        return str(value)
    try:
        return _SHORT.repr(value)
    except ValueError:  # an integer of more than 4300 digits
        return "a number of thousands of digits"


def first_sentence(error: Exception) -> str:
    """Return the first line of an error's message, without its full stop."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0][:200].rstrip(".: ")
