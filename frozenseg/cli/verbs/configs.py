"""List, show and copy the shipped configs.

Examples:
  all configs, or those that match a pattern:
    frozenseg configs
    frozenseg configs list "fcclip/*"

  the keys that a config changes, and where each value comes from:
    frozenseg configs show toyworld/frozenseg_tiny

  a copy to edit; it keeps its bases, which are found by name:
    frozenseg configs copy toyworld/frozenseg_tiny my_model.yaml

  for a program:
    frozenseg configs list --json
"""

import argparse
import fnmatch
import json
import os
import sys
from pathlib import Path
from typing import Any

from frozenseg import atomic
from frozenseg.errors import ConfigError, shown
from frozenseg.output_paths import require_file

ACTIONS = ("list", "show", "copy")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the action, its arguments and ``--json``."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="default: list")
    parser.add_argument("names", nargs="*", metavar="NAME", help="pattern of names; config; config and output file")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Run the action.

    Raises:
        ConfigError: a name is unknown or missing.
    """
    action = {"list": _list, "show": _show, "copy": _copy}[arguments.action]
    action(arguments.names, arguments.json)


def _list(patterns: list[str], as_json: bool) -> None:
    from frozenseg.config.config_files import config_names, find_config

    names = [name for name in config_names() if not patterns or any(fnmatch.fnmatch(name, each) for each in patterns)]
    if not names:
        raise ConfigError(f"No config matches {' '.join(patterns)!r}: `frozenseg configs` lists all names.")
    entries = [{"name": name, "description": description(find_config(name))} for name in names]
    if as_json:
        _write_json(entries)
        return
    width = max(map(len, names))
    sys.stdout.writelines(f"{entry['name']:{width}}  {entry['description']}".rstrip() + "\n" for entry in entries)


def description(path: Path) -> str:
    """Return the first comment of a config that is not the command that runs it."""
    lines = path.read_text(encoding="utf-8").splitlines()
    comments = [line[1:].strip() for line in lines if line.startswith("#")]
    return next((comment for comment in comments if not comment.startswith("python ")), "")


def _show(names: list[str], as_json: bool) -> None:
    from frozenseg.config.yaml_files import read_settings

    [name] = _named(names, 1, "show NAME")
    settings = read_settings(name)
    if as_json:
        _write_json({key: setting._asdict() for key, setting in settings.items()})
        return
    width = max(map(len, settings), default=0)
    for key, setting in sorted(settings.items()):
        sys.stdout.write(f"{key:{width}}  {setting.value!r}  # {setting.origin}\n")


def _copy(names: list[str], as_json: bool) -> None:
    from frozenseg.config import find_config, load_config

    name, target = _named(names, 2, "copy NAME FILE.yaml")
    source, output = find_config(name), Path(target).expanduser()
    if output.suffix != ".yaml":
        raise ConfigError(f"The copy is {shown(target)}, expected the name of a file that ends in .yaml.")
    if output.exists():
        raise ConfigError(f"{output} exists: choose another name for the copy.")
    require_file(output, "configs copy")
    load_config(source)
    atomic.write_text(output, _with_bases_by_name(source).rstrip())
    if as_json:
        _write_json({"file": str(output)})
        return
    sys.stdout.write(f"{output}: change it, then give it as --config {output}\n")


def _with_bases_by_name(source: Path) -> str:
    """Return the text of a config whose bases are shipped ones, with their names instead of relative paths."""
    from frozenseg.config.config_files import configs_folder
    from frozenseg.config.yaml_files import base_files

    text = source.read_text(encoding="utf-8")
    for base in base_files(source):
        name = base.resolve().relative_to(configs_folder().resolve()).with_suffix("").as_posix()
        text = text.replace(os.path.relpath(base, source.parent).replace(os.sep, "/"), name)
    return text


def _named(names: list[str], count: int, form: str) -> list[str]:
    if len(names) != count:
        raise ConfigError(f"`frozenseg configs` received {len(names)} names, expected: frozenseg configs {form}.")
    return names


def _write_json(value: Any) -> None:
    sys.stdout.write(f"{json.dumps(value, indent=2)}\n")
