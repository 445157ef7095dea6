"""Table of the verbs: their names and summaries, read from the files of ``verbs`` without importing them."""

import ast
import importlib
import pkgutil
from functools import cache
from pathlib import Path
from typing import cast

from frozenseg.cli import verbs
from frozenseg.cli.command_line import Verb
from frozenseg.errors import ConfigError, did_you_mean


@cache
def verb_summaries() -> dict[str, str]:
    """Return the first line of the docstring of each verb by the verb's name, sorted."""
    [folder] = verbs.__path__
    texts = {name: Path(folder, f"{name}.py").read_text(encoding="utf-8") for name in _module_names(folder)}
    docstrings = {name: ast.get_docstring(ast.parse(text)) or "" for name, text in texts.items()}
    return {name: docstring.partition("\n")[0] for name, docstring in docstrings.items()}


def _module_names(folder: str) -> list[str]:
    return sorted(module.name for module in pkgutil.iter_modules([folder]))


def load_verb(name: str) -> Verb:
    """Import the module of a verb.

    Args:
        name: of the verb.

    Raises:
        ConfigError: there is no such verb; the message has the nearest names and all names.
    """
    names = list(verb_summaries())
    if name not in names:
        raise ConfigError(f"Unknown verb {name!r}.{did_you_mean(name, names)} Verbs: {', '.join(names)}.")
    return cast("Verb", importlib.import_module(f"{verbs.__name__}.{name}"))
