"""Shipped config files by name, from any working directory, in a clone and in an installed wheel.

::

    configs/frozenseg/convnext_large.yaml    in the repository
    frozenseg/configs/frozenseg/…            in the installed package: the same files (setup.py maps the folder)
"""

import os
from functools import cache
from pathlib import Path

from frozenseg.errors import ConfigError, did_you_mean

SUFFIX = ".yaml"
PREFIX = "configs/"


@cache
def configs_folder() -> Path:
    """Return the folder of the shipped configs, in the installed package or in the repository.

    Raises:
        ConfigError: neither has this folder.
    """
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "configs", package.parent / "configs"):
        if (folder / "_base_").is_dir():
            return folder
    raise ConfigError(f"The installation in {package} has no configs: install frozenseg again.")


def config_names() -> list[str]:
    """Return the names of all shipped configs, such as ``frozenseg/convnext_large``, sorted."""
    folder = configs_folder()
    return sorted(path.relative_to(folder).with_suffix("").as_posix() for path in folder.rglob(f"*{SUFFIX}"))


def find_config(name: str | Path) -> Path:
    """Return the path of a config file.

    Args:
        name: path of a YAML file (absolute, or relative to the working directory), or the name of a shipped config:
            ``frozenseg/convnext_large``, ``frozenseg/convnext_large.yaml`` and
            ``configs/frozenseg/convnext_large.yaml`` are the same. A file in the working directory takes precedence.

    Raises:
        ConfigError: there is no such file and no such shipped config; the message has the nearest names.
    """
    path = Path(os.path.expanduser(name))
    if os.path.isfile(path):  # False, too, for a path that the system does not accept
        return path
    if shipped := shipped_config(path):
        return shipped
    short = _short_name(path)
    raise ConfigError(
        f"There is no config file {path}, and no shipped config has that name.{did_you_mean(short, config_names())} "
        "Give the path of a YAML file, or a name such as frozenseg/convnext_large."
    )


def shipped_config(name: str | Path) -> Path | None:
    """Return the path of the shipped config with a name, or None if there is none.

    Args:
        name: see :func:`find_config`.
    """
    path = Path(name)
    shipped = configs_folder() / f"{_short_name(path)}{SUFFIX}"
    return shipped if not path.is_absolute() and ".." not in path.parts and os.path.isfile(shipped) else None


def _short_name(path: Path) -> str:
    return path.as_posix().removeprefix("./").removeprefix(PREFIX).removesuffix(SUFFIX)
