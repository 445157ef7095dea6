"""Completion of verbs, flags and config names in the shell, by argcomplete (extra ``completion``).

The shell calls the command with ``_ARGCOMPLETE`` in the environment, see INSTALL.md.
"""

import argparse
from typing import Any

from frozenseg.cli.verb_table import load_verb, verb_summaries

COMPLETION_VARIABLE = "_ARGCOMPLETE"
CONFIG_FLAG = "--config"


def print_completions() -> None:
    """Print the completions of the line in the environment and end the process; do nothing without argcomplete."""
    try:
        import argcomplete
    except ImportError:
        return
    argcomplete.autocomplete(completion_parser())


def completion_parser() -> argparse.ArgumentParser:
    """Return a parser with all verbs as subcommands."""
    parser = argparse.ArgumentParser(prog="frozenseg")
    parser.add_argument("--version", action="store_true", help="print the version")
    subcommands = parser.add_subparsers(metavar="VERB")
    for name, summary in verb_summaries().items():
        subparser = subcommands.add_parser(name, help=summary)
        load_verb(name).add_arguments(subparser)
        for action in subparser._actions:
            if CONFIG_FLAG in action.option_strings:
                action.completer = complete_config  # type: ignore[attr-defined]  # read by argcomplete
    return parser


def complete_config(prefix: str, **_: Any) -> list[str]:
    """Return the names of the shipped configs that start with a prefix."""
    from frozenseg.config import config_names

    return [name for name in config_names() if name.startswith(prefix)]
