"""Entry point of the command ``frozenseg``: ``frozenseg VERB …`` runs the module ``verbs/VERB.py``."""

import io
import os
import sys
from collections.abc import Sequence

from frozenseg import __version__
from frozenseg.cli import completion
from frozenseg.cli.command_line import run_script, run_with_arguments
from frozenseg.cli.verb_table import load_verb, verb_summaries

USAGE = "frozenseg VERB …"
INTRODUCTION = "Open-vocabulary segmentation: masks of any categories that you name."
EXAMPLES_OF_VERBS = """\
First steps: `frozenseg segment` draws masks of sample scenes, `frozenseg models` lists models for photos.
frozenseg VERB --help explains a verb by examples; frozenseg --version prints the version.
Exit codes: 0 success, 2 a mistake in the arguments or the data (one sentence on stderr), 130 interrupted."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb and return the exit code.

    Args:
        argv: arguments after ``frozenseg``; None for those of this process.
    """
    if completion.COMPLETION_VARIABLE in os.environ:
        completion.print_completions()
    line = list(sys.argv[1:] if argv is None else argv)
    try:
        code = _answer(line)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of the output, such as `head`, has read enough
        sys.stdout = io.StringIO()  # flushed when Python ends
        return 0
    return code


def _answer(line: list[str]) -> int:
    if not line or line[0] in ("-h", "--help", "help"):
        return _print(help_text())
    if line[0] == "--version":
        return _print(f"frozenseg {__version__}\n")
    name, *rest = line
    return run_script(lambda: run_with_arguments(load_verb(name), rest, program=f"frozenseg {name}"))


def help_text() -> str:
    """Return the text of ``frozenseg --help``: all verbs with their summaries."""
    summaries = verb_summaries()
    width = max(map(len, summaries))
    table = "\n".join(f"  {name:{width}}  {summary}" for name, summary in summaries.items())
    return f"usage: {USAGE}\n\n{INTRODUCTION}\n\nverbs:\n{table}\n\n{EXAMPLES_OF_VERBS}\n"


def _print(text: str) -> int:
    sys.stdout.write(text)
    return 0
