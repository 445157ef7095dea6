"""Checks of config values: the bounds of each key, and relations between keys, before any model or data is loaded."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

from frozenseg.config.bounds import Lists, Numbers
from frozenseg.config.defaults import KEY_BY_NAME
from frozenseg.config.yaml_files import Setting, short_repr
from frozenseg.errors import ConfigError


class Relation(NamedTuple):
    """A relation between the values of two keys.

    Attributes:
        first: dotted name of the first key.
        second: dotted name of the second key.
        holds: returns True for two values that fit.
        expected: expected value of the first key and the correction, for messages.
    """

    first: str
    second: str
    holds: Callable[[Any, Any], bool]
    expected: str


def _at_most(first: Any, second: Any) -> bool:
    return bool(first <= second)


def _divisible(first: Any, second: Any) -> bool:
    return bool(first % second == 0)


RELATIONS: tuple[Relation, ...] = (
    Relation("INPUT.MIN_SCALE", "INPUT.MAX_SCALE", _at_most, "at most MAX_SCALE: lower MIN_SCALE or raise MAX_SCALE"),
    Relation(
        "INPUT.MIN_SIZE_TEST",
        "INPUT.MAX_SIZE_TEST",
        _at_most,
        "at most MAX_SIZE_TEST pixels: lower MIN_SIZE_TEST or raise MAX_SIZE_TEST",
    ),
    Relation("SOLVER.BASE_LR_END", "SOLVER.BASE_LR", _at_most, "at most BASE_LR: lower BASE_LR_END or raise BASE_LR"),
    Relation(
        "MODEL.MASK_FORMER.HIDDEN_DIM",
        "MODEL.MASK_FORMER.NHEADS",
        _divisible,
        "a multiple of NHEADS: choose a number of heads that divides the channels",
    ),
    Relation(
        "MODEL.SEM_SEG_HEAD.CONVS_DIM",
        "MODEL.SEM_SEG_HEAD.DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS",
        _divisible,
        "a multiple of N_HEADS: choose a number of heads that divides the channels",
    ),
)


def check_value(name: str, setting: Setting) -> None:
    """Check that a value of the right type is inside the bounds of its key.

    Args:
        name: dotted key; a name that is no key has no bounds.
        setting: value and origin.

    Raises:
        ConfigError: the value is outside.
    """
    key = KEY_BY_NAME.get(name)
    if key is not None and not key.bounds.accept(setting.value):
        default = f"; the default is {key.default!r}" if isinstance(key.bounds, Numbers | Lists) else ""
        raise ConfigError(
            f"{setting.origin}: {name} is {short_repr(setting.value)}, expected {key.bounds.expected()}{default}."
            f"{key.bounds.hint(setting.value)}"
        )


def check_relations(values: Mapping[str, Any], origins: Mapping[str, str], names: Collection[str]) -> None:
    """Check the relations of some keys with others.

    Args:
        values: of all keys, by dotted name.
        origins: origins of values that are set, by dotted name.
        names: dotted keys whose relations are checked.

    Raises:
        ConfigError: two values contradict each other.
    """
    for first, second, holds, expected in RELATIONS:
        if (first in names or second in names) and first in values and second in values:
            value, other = values[first], values[second]
            if not holds(value, other):
                raise ConfigError(
                    f"{first} is {value!r} ({origins.get(first, 'default')}) and {second} is {other!r} "
                    f"({origins.get(second, 'default')}), expected {expected}."
                )
