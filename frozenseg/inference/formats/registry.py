"""Output formats by name: every module of this package with an ``OUTPUT_FORMAT``."""

import functools
import importlib
import pkgutil
from collections.abc import Sequence
from pathlib import Path

import frozenseg.inference.formats as package
from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.inference.formats.output_format import FormatOptions, OutputClasses, OutputFormat


@functools.cache
def output_formats() -> dict[str, type[OutputFormat]]:
    """Return the output formats by name, sorted."""
    names = [module.name for module in pkgutil.iter_modules(package.__path__, prefix=f"{package.__name__}.")]
    modules = [importlib.import_module(name) for name in names]
    formats = [module.OUTPUT_FORMAT for module in modules if hasattr(module, "OUTPUT_FORMAT")]
    return {each.name: each for each in sorted(formats, key=lambda each: str(each.name))}


def check_formats(names: Sequence[str]) -> list[str]:
    """Return the names of output formats without repetitions.

    Raises:
        ConfigError: a format is unknown, or there is none.
    """
    known = output_formats()
    for name in names:
        if name not in known:
            raise ConfigError(
                f"Unknown output format {name!r}.{did_you_mean(str(name), known)} Available: {', '.join(known)}."
            )
    if not names:
        raise ConfigError(f"No output format: name one or more of {', '.join(known)}.")
    return list(dict.fromkeys(names))


def build_formats(
    names: Sequence[str], folder: str | Path, classes: OutputClasses, options: FormatOptions | None = None
) -> list[OutputFormat]:
    """Build output formats.

    Args:
        names: see :func:`output_formats`.
        folder: of the output.
        classes: of the run.
        options: of all formats.

    Raises:
        ConfigError: a format is unknown, or there is none.
    """
    return [output_formats()[name](folder, classes, options) for name in check_formats(names)]
