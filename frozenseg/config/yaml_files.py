"""Settings from YAML files: plain values with ``_BASE_`` resolved, each with its file."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from frozenseg.config.config_files import find_config, shipped_config
from frozenseg.errors import ConfigError

BASE_KEY = "_BASE_"
MAX_REPR = 200  # characters of a value in a message
MAX_YAML_VALUES, MAX_NESTING = 100_000, 50  # of a YAML file
COMMAND_LINE, OPTIONS = "command line", "options"  # origins of settings from KEY VALUE pairs: of a tool, in Python


class Setting(NamedTuple):
    """A value and its origin.

    Attributes:
        value: value as it was read, of any type.
        origin: file, command line or other source, for messages.
    """

    value: Any
    origin: str


def short_repr(value: Any) -> str:
    """Return the representation of a value for a message, without the end if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python prints no whole number of more than 4300 digits
        return f"a {type(value).__name__} of thousands of digits"
    return text if len(text) <= MAX_REPR else f"{text[:MAX_REPR]}…"


class _StrictLoader(yaml.SafeLoader):
    """Safe YAML loader that refuses duplicate keys."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[str, int] = {}
        for key_node, _ in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                continue
            if key_node.value in seen:
                problem = f"key {key_node.value!r} is set twice, in line {seen[key_node.value]} and"
                raise yaml.constructor.ConstructorError(problem=problem, problem_mark=key_node.start_mark)
            seen[key_node.value] = key_node.start_mark.line + 1
        return super().construct_mapping(node, deep=deep)


def read_settings(path: str | Path) -> dict[str, Setting]:
    """Return the settings of a config file and of the files in its ``_BASE_``, in ascending precedence.

    Args:
        path: a YAML file, or the name of a shipped config (see :func:`find_config`). ``_BASE_`` is a file or a list of
            files, relative to the file that names them, or names of shipped configs.

    Returns:
        Settings by dotted key: those of the bases first, those of the file itself last. Keys are not checked.

    Raises:
        ConfigError: a file is missing, is not plain YAML, has a duplicate key, or is a base of itself.
    """
    return _read(find_config(path), ())


def settings_in(text: str, origin: str) -> dict[str, Setting]:
    """Return the settings in the text of a config without bases, such as in a checkpoint.

    Args:
        text: YAML.
        origin: source of the text, for error messages.

    Raises:
        ConfigError: the text is not plain YAML, or has a duplicate key.
    """
    return {name: Setting(value, origin) for name, value in flatten(_parse(text, origin), origin)}


def file_settings(path: str | Path) -> dict[str, Any]:
    """Return the values that a config file itself sets, by dotted key, without those of its ``_BASE_``.

    Raises:
        ConfigError: see :func:`read_settings`.
    """
    read_settings(path)  # checks the bases, too
    tree = _parse(_text(find_config(path)), str(path))
    tree.pop(BASE_KEY, None)
    return dict(flatten(tree, str(path)))


def base_files(path: Path) -> list[Path]:
    """Return the files in the ``_BASE_`` of a config file.

    Raises:
        ConfigError: see :func:`read_settings`.
    """
    return _bases(_parse(_text(path), str(path)).get(BASE_KEY, []), path)


def override(settings: Mapping[str, Setting], later: Mapping[str, Setting]) -> dict[str, Setting]:
    """Merge settings in ascending precedence: the later ones replace the others and come last."""
    return {name: setting for name, setting in settings.items() if name not in later} | dict(later)


def _read(path: Path, children: tuple[Path, ...]) -> dict[str, Setting]:
    if path.resolve() in [child.resolve() for child in children]:
        raise ConfigError(
            f"{path}: its {BASE_KEY} leads back to the file itself ({' → '.join(map(str, (*children, path)))})."
        )
    if not os.path.isfile(path):
        named_by = f", which {children[-1]} names as its {BASE_KEY}," if children else ""
        raise ConfigError(f"There is no config file {path}{named_by}: give the path of an existing YAML file.")
    tree = _parse(_text(path), str(path))
    settings: dict[str, Setting] = {}
    for base in _bases(tree.pop(BASE_KEY, []), path):
        settings = override(settings, _read(base, (*children, path)))
    last: dict[str, Setting] = {}
    for name, value in flatten(tree, str(path)):
        if name in last:
            raise ConfigError(f"{path}: key {name} is set twice, once with dots and once nested.")
        last[name] = Setting(value, str(path))
    return override(settings, last)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"{path} cannot be read as YAML ({' '.join(str(error).split())}).") from error


def is_too_deep(text: str) -> bool:
    """Return True if the brackets of a text nest so deeply that a YAML parser would take minutes to refuse it."""
    depth = 0
    for bracket in re.findall(r"[][{}]", text):
        depth += 1 if bracket in "[{" else -1
        if depth > MAX_NESTING:
            return True
    return False


def _parse(text: str, origin: str) -> dict[str, Any]:
    if is_too_deep(text):
        raise ConfigError(f"{origin} nests more than {MAX_NESTING} brackets, expected the keys of a config.")
    try:
        # the loader is a SafeLoader: it builds plain values only
        tree = yaml.load(text, Loader=_StrictLoader)  # noqa: S506
    except yaml.MarkedYAMLError as error:
        line = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        hint = " Write a path with backslashes in single quotes." if "escape" in str(error.problem) else ""
        raise ConfigError(f"{origin} is not plain YAML: {error.problem}{line}.{hint}") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{origin} cannot be read as YAML ({' '.join(str(error).split())}).") from error
    except (ValueError, RecursionError) as error:  # such as a date that does not exist
        raise ConfigError(f"{origin} cannot be read as YAML ({' '.join(str(error).split())[:200]}).") from error
    if not isinstance(tree, dict):
        raise ConfigError(f"{origin} holds {type(tree).__name__}, expected keys with values such as 'SEED: 1'.")
    _check_size(tree, origin)
    return tree


def _check_size(tree: dict[str, Any], origin: str) -> None:
    """Raise ConfigError for a tree with too many values; its aliases (``*name``) count each time."""
    values, count = [(tree, 0)], 0
    while values:
        value, depth = values.pop()
        count += 1
        if count > MAX_YAML_VALUES or depth > MAX_NESTING:
            raise ConfigError(
                f"{origin} has more than {MAX_YAML_VALUES} values or {MAX_NESTING} levels, expected the keys of a "
                "config: remove the aliases (*name) that repeat values."
            )
        children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        values.extend((child, depth + 1) for child in children)


def _bases(value: Any, path: Path) -> list[Path]:
    names = [value] if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ConfigError(f"{path}: {BASE_KEY} is {value!r}, expected a file or a list of files.")
    return [_base(name, path.parent) for name in names]


def _base(name: str, folder: Path) -> Path:
    path = Path(folder, os.path.expanduser(name))
    return path if os.path.isfile(path) else shipped_config(name) or path


def flatten(tree: Mapping[str, Any], origin: str, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted keys of nested sections, with their values.

    Args:
        tree: nested sections.
        origin: source of the keys, for error messages.
        prefix: dotted name of ``tree`` itself, with a dot at its end.

    Yields:
        Each key that is not a section, and its value.

    Raises:
        ConfigError: a key is not text.
    """
    for key, value in tree.items():
        if not isinstance(key, str):
            raise ConfigError(f"{origin}: key {key!r} under {prefix.rstrip('.') or 'the top level'} is not text.")
        if isinstance(value, dict):
            yield from flatten(value, origin, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
