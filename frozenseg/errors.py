"""Mistakes of the user, told so that they can be mended: what came, what was expected, what to do.

Every tool turns a :class:`FrozenSegError` into one sentence on stderr and exit code 2. Bugs of our own stay
assertions and ordinary exceptions, with their traceback.
"""

import difflib
from collections.abc import Iterable


class FrozenSegError(ValueError):
    """Base of all errors that the user can mend."""


class ConfigError(FrozenSegError):
    """A config key, value or file is wrong."""


class DataError(FrozenSegError):
    """A data set, an image or an annotation is missing or wrong."""


class MissingDataError(DataError):
    """A data set, or a part of it, is not there at all."""


class CheckpointError(FrozenSegError):
    """Weights cannot be read or belong to another model."""


class ShapeError(FrozenSegError):
    """A tensor has another shape than its reader needs."""


def did_you_mean(name: str, valid: Iterable[str], limit: int = 3) -> str:
    """Say which valid names are nearest to a wrong one.

    Args:
        name: what was given.
        valid: all names that would have been right.
        limit: the most names to offer.

    Returns:
        ``" Did you mean 'a' or 'b'?"``, or an empty string where nothing is near.
    """
    matches = difflib.get_close_matches(name, list(valid), n=limit, cutoff=0.5)
    if not matches:
        return ""
    return " Did you mean " + " or ".join(repr(match) for match in matches) + "?"
