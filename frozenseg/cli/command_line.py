"""Shared start of the scripts and verbs: a parser made from the docstring, and exit codes for errors.

Example:
    def main(argv: Sequence[str] | None = None) -> int:
        parser = docstring_parser(__doc__)
        parser.add_argument("--output", required=True)
        arguments = parser.parse_args(argv)
        return run_script(lambda: write_masks(arguments.output))
"""

import argparse
import math
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

from frozenseg.errors import FrozenSegError

if TYPE_CHECKING:
    from frozenseg.config.bounds import Numbers

USER_ERROR, INTERRUPTED = 2, 130  # exit codes


def docstring_parser(docstring: str | None) -> argparse.ArgumentParser:
    """Return a parser that prints a script's docstring as its ``--help``.

    Args:
        docstring: ``__doc__`` of the script. The first paragraph is printed above the flags, the rest (examples) below.
    """
    description, _, epilog = (docstring or "").partition("\n\n")
    formatter = argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)


def bounded_number(bounds: "Numbers") -> Callable[[str], float]:
    """Return a ``type`` of :mod:`argparse` for a flag with a number inside bounds.

    Args:
        bounds: smallest and largest number, and their unit.
    """

    def parse(text: str) -> float:
        try:
            number = int(text) if bounds.integer else float(text)
        except ValueError:
            number = math.nan
        if math.isnan(number) or not bounds.accept(number):
            raise argparse.ArgumentTypeError(f"{text!r}, expected {bounds.expected()}")
        return number

    return parse


def whole_number_flag(smallest: int, largest: int, unit: str) -> Callable[[str], float]:
    """Return a ``type`` of :mod:`argparse` like :func:`bounded_number`, which imports nothing until a number is parsed.

    Args:
        smallest: smallest accepted number.
        largest: largest accepted number.
        unit: of the number, in the plural.
    """

    def parse(text: str) -> float:
        from frozenseg.config.bounds import whole

        return bounded_number(whole(smallest, largest, unit))(text)

    return parse


def run_script(work: Callable[[], int | None], interrupted: str = "interrupted") -> int:
    """Run the work of a script and return its exit code.

    A :class:`FrozenSegError` is printed to stderr as one sentence and gives exit code 2; Ctrl-C gives 130. All other
    exceptions are bugs and keep their traceback.

    Args:
        work: called without arguments; returns an exit code, or None for 0.
        interrupted: message after Ctrl-C, such as the command that resumes the work.
    """
    try:
        return work() or 0
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
