r"""Turn a raw download into what FrozenSeg reads, and say whether all is there. Nothing is downloaded.

Examples:
  where to get what:
    python datasets/prepare.py --list

  convert ADE20K with four processes; run it again to go on after an interruption:
    python datasets/prepare.py ade20k --workers 4

  look at what an earlier run has made:
    python datasets/prepare.py ade20k --check

The exit code is 0 when all is as it should be, 1 when something is missing or wrong, 2 when nothing could be done.
"""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.metadata import ROOT_VARIABLE, datasets_root
from frozenseg.data.prepare.converter import FOLDER, Converter, converter_named, converters
from frozenseg.errors import DataError, FrozenSegError, MissingDataError
from frozenseg.log import setup_logging


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(converters()))
    parser.add_argument("--list", action="store_true", help="say for every data set where to get it, and stop")
    parser.add_argument("--root", type=Path, help=f"folder of the data sets (default: ${ROOT_VARIABLE}, or datasets)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--check", action="store_true", help="convert nothing, look at what is there")
    parser.add_argument("--skip-bad", action="store_true", help="go on without pictures that cannot be converted")
    arguments = parser.parse_args(argv)
    if arguments.workers < 1:
        parser.error(f"--workers is {arguments.workers}: at least 1 process is needed")
    if arguments.name is None and not arguments.list:
        parser.error("name a data set, or give --list")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    setup_logging()
    if arguments.root is not None:
        os.environ[ROOT_VARIABLE] = str(arguments.root)
    if arguments.list:
        return print_sources()
    try:
        converter = converter_named(arguments.name)
        complete = arguments.check or convert(converter, arguments)
        right = look_at(converter, arguments.workers)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}; make room or choose another --root, and run this again.", file=sys.stderr)
        return 2
    return 0 if complete and right else 1


def print_sources() -> int:
    """Print where each data set comes from."""
    for name, converter in converters().items():
        print(f"{name}: {converter.title}")
        print(textwrap.indent(textwrap.fill(converter.source, 100), "    "))
        for path, what in converter.needs.items():
            print(f"      {datasets_root() / path}   {what}")
    return 0


def convert(converter: Converter, arguments: argparse.Namespace) -> bool:
    """Convert; returns whether nothing was left out."""
    from frozenseg.data.prepare.runner import prepare

    report = prepare(converter, datasets_root(), arguments.workers, arguments.skip_bad)
    print(f"{converter.title}: {report.done} done, {report.kept} were there, {len(report.bad)} left out.")
    for name, problem in report.bad.items():
        print(f"  left out: {name}: {problem}")
    return not report.bad


def look_at(converter: Converter, workers: int) -> bool:
    """Look at the data sets that a converter makes; returns whether those that are there are as they should be."""
    from frozenseg.data.checks.inspect import inspect

    found, missing = [], []
    for name in converter.datasets:
        try:
            survey, sheet = inspect(name, datasets_root() / FOLDER / converter.name, workers)
        except MissingDataError as error:
            missing.append(f"{name}: not there. {error}")
            continue
        except DataError as error:
            print(f"{name}: cannot be read. {error}")
            found.append(False)
            continue
        print(survey.verdict())
        print(f"  a few pictures beside their annotations: {sheet}")
        found.append(not survey.problems and survey.complete)
    for line in missing:
        print(line)
    return bool(found) and all(found)


if __name__ == "__main__":
    sys.exit(main())
