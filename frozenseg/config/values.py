"""A given value becomes one of the kind that its key has, or an error says what the key takes."""

import ast
from typing import Any

import yaml

from frozenseg.config.yaml_files import Setting
from frozenseg.errors import ConfigError

# keys whose list holds lists of anything, with an example; whoever reads them checks them
ROWS = {"EXPECTED_RESULTS": [["panoptic_seg", "PQ", 30.5, 0.1]]}
KINDS = {bool: "True or False", int: "a whole number", float: "a number", str: "text", list: "a list"}


def coerce(name: str, setting: Setting, default: Any) -> Any:
    """Return a setting's value in the kind of its default.

    Text, as from a command line or YAML's ``1e-4``, is read as a Python or YAML value where the key takes no text;
    a whole number serves as a number. Lists hold what the default's first element is; text where the default is empty.

    Args:
        name: dotted key.
        setting: the value that was given, and where.
        default: a value of the right kind.

    Raises:
        ConfigError: the value is of another kind.
    """
    example = ROWS.get(name.rpartition(".")[2])
    try:
        return _convert(setting.value, default) if example is None else _rows(setting.value)
    except TypeError:
        given = "nothing" if setting.value is None else f"{setting.value!r} ({type(setting.value).__name__})"
        wanted = f"{KINDS[type(default)]} such as {_example(example or default)}"
        raise ConfigError(f"{setting.origin}: {name} is {given}, expected {wanted}.") from None


def read_literal(value: Any) -> Any:
    """Read text as the Python or YAML value that it spells; anything else, and other text, stays as it is."""
    if not isinstance(value, str):
        return value
    try:
        return ast.literal_eval(value)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        pass
    try:
        return yaml.safe_load(value)
    except yaml.YAMLError:
        return value


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


def _require(value: Any, kind: type) -> Any:
    if type(value) is not kind:  # a bool is no int here
        raise TypeError
    return value


def _example(default: Any) -> str:
    return '["first", "second"]' if default == [] else repr(default)
