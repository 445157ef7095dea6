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
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NoReturn, Protocol

from frozenseg.errors import FrozenSegError, did_you_mean

if TYPE_CHECKING:
    from frozenseg.config.bounds import Numbers

USER_ERROR, INTERRUPTED = 2, 130  # exit codes


class Verb(Protocol):
    """Interface of a module with a command line: a script or a verb of the command ``frozenseg``."""

    __doc__: str | None

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Add the flags to a parser."""

    def run(self, arguments: argparse.Namespace) -> int | None:
        """Do the work; returns an exit code, or None for 0."""


class OneSentenceParser(argparse.ArgumentParser):
    """Parser that reports a mistake in one sentence, with the nearest flags, and exits with code 2."""

    def error(self, message: str) -> NoReturn:
        """Print the message of :mod:`argparse` as a sentence, without the usage, and exit."""
        flags = [flag for action in self._actions for flag in action.option_strings]
        unknown = message.partition("unrecognized arguments: ")[2].split(" ")[0]
        hint = did_you_mean(unknown, flags) if unknown.startswith("-") else ""
        self.exit(
            USER_ERROR, f"error: {' '.join(message.split())}.{hint} `{self.prog} --help` explains all arguments.\n"
        )


def docstring_parser(docstring: str | None, program: str | None = None) -> argparse.ArgumentParser:
    """Return a parser that prints a script's docstring as its ``--help``.

    Args:
        docstring: ``__doc__`` of the script. The first paragraph is printed above the flags, the rest (examples) below.
        program: name of the program in messages; None for the name of the script.
    """
    description, _, epilog = (docstring or "").partition("\n\n")
    formatter = argparse.RawDescriptionHelpFormatter
    return OneSentenceParser(prog=program, description=description, epilog=epilog, formatter_class=formatter)


def run_with_arguments(
    verb: Verb, argv: Sequence[str] | None, docstring: str | None = None, program: str | None = None
) -> int:
    """Parse a command line and run it; returns the exit code.

    Args:
        verb: module with the flags and the work.
        argv: arguments; None for those of this process. Flags may come before and after ``KEY VALUE`` pairs.
        docstring: text of ``--help``; None for that of the module.
        program: see :func:`docstring_parser`.
    """
    parser = docstring_parser(docstring or verb.__doc__, program)
    verb.add_arguments(parser)
    arguments = parser.parse_intermixed_args(argv)
    hint: str = getattr(verb, "INTERRUPTED_HINT", "interrupted")
    return run_script(lambda: verb.run(arguments), hint)


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


def number_flag(smallest: float, largest: float, unit: str) -> Callable[[str], float]:
    """Return a ``type`` of :mod:`argparse` like :func:`whole_number_flag` for any numbers."""

    def parse(text: str) -> float:
        from frozenseg.config.bounds import between

        return bounded_number(between(smallest, largest, unit))(text)

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
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt:
        print(interrupted, file=sys.stderr)
        return INTERRUPTED
