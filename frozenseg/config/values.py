"""Conversion of config values to the type of their key; a ConfigError states what the key accepts."""

import ast
import re
from typing import Any

import yaml

from frozenseg.config.yaml_files import Setting, is_too_deep, short_repr
from frozenseg.errors import ConfigError

# keys with lists of lists of any values, with an example; the code that reads them checks them
LISTS_OF_ROWS = {"EXPECTED_RESULTS": [["panoptic_seg", "PQ", 30.5, 0.1]]}
DOUBLE_QUOTED = re.compile(r'"[^"]*"')  # YAML reads escape sequences in double quotes only
BARE_LIST = re.compile(r"\[([^][{}'\"]+)\]")  # a shell has taken the quotes away
TYPE_NAMES = {bool: "True or False", int: "a whole number", float: "a number", str: "text", list: "a list"}


def coerce(name: str, setting: Setting, default: Any) -> Any:
    """Return the value of a setting in the type of the key's default.

    Text, as from a command line or YAML's ``1e-4``, is parsed as a Python or YAML value if the key does not take text;
    a whole number is accepted as a number. The elements of a list have the type of the default's first element, or are
    text if the default is empty.

    Args:
        name: dotted key.
        setting: value and origin.
        default: a value of the key's type.

    Raises:
        ConfigError: the value is of another type.
    """
    example = LISTS_OF_ROWS.get(name.rpartition(".")[2])
    try:
        return _convert(setting.value, default) if example is None else _rows(setting.value)
    except (TypeError, OverflowError):  # a whole number may be too large for a number
        actual = "nothing" if setting.value is None else f"{short_repr(setting.value)} ({type(setting.value).__name__})"
        expected = f"{TYPE_NAMES[type(default)]} such as {_example(example or default)}"
        raise ConfigError(f"{setting.origin}: {name} is {actual}, expected {expected}.") from None


def read_literal(value: Any) -> Any:
    """Parse a text as a Python literal or as YAML; return other text and other values unchanged.

    A backslash is an ordinary character in all quotes, so that paths of Windows stay as typed.
    """
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(_escaped(value))
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
        pass
    if is_too_deep(value):
        return value
    try:
        return yaml.safe_load(DOUBLE_QUOTED.sub(lambda match: _escaped(match.group()), value))
    except (yaml.YAMLError, ValueError, RecursionError):  # such as a date that does not exist
        bare = BARE_LIST.fullmatch(value.strip())  # such as [a?b=c], which is no YAML
        return [element.strip() for element in bare.group(1).split(",")] if bare else value


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")


def _convert(value: Any, default: Any) -> Any:
    if isinstance(default, str):
        return _require(value, str)
    value = read_literal(value)
    if isinstance(default, list):
        elements = _require(list(value) if isinstance(value, tuple) else value, list)
        return [_convert(element, default[0] if default else "") for element in elements]
    if isinstance(default, float) and type(value) is int:
        return float(value)
    return _require(value, type(default))


def _rows(value: Any) -> list[list[Any]]:
    rows = read_literal(value)
    if not isinstance(rows, (list, tuple)) or not all(isinstance(row, (list, tuple)) for row in rows):
        raise TypeError
    return [list(row) for row in rows]


def _require(value: Any, required: type) -> Any:
    if type(value) is not required:  # not isinstance: a bool is an int in Python, but not here
        raise TypeError
    return value


def _example(default: Any) -> str:
    return '["first", "second"]' if default == [] else repr(default)
