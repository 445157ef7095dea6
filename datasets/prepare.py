r"""Convert a download into the files that FrozenSeg reads, and check the result. Nothing is downloaded.

Examples:
  list where to get each data set:
    python datasets/prepare.py --list

  convert ADE20K with four processes; run the command again to resume after an interruption:
    python datasets/prepare.py ade20k --workers 4

  check the files of an earlier run:
    python datasets/prepare.py ade20k --check

Exit code: 0 if the data sets are complete and valid, 1 if something is missing or invalid, 2 if the conversion failed.
"""

import argparse
import os
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.metadata import ROOT_VARIABLE, datasets_root
from frozenseg.data.prepare.converter import STATE_FOLDER, Converter, converters, get_converter
from frozenseg.errors import DataError, FrozenSegError, MissingDataError
from frozenseg.log import setup_logging
from frozenseg.output_paths import require_folder


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("name", nargs="?", metavar="NAME", help=", ".join(converters()))
    parser.add_argument("--list", action="store_true", help="print where to get each data set, and exit")
    parser.add_argument("--root", type=Path, help=f"folder of the data sets (default: ${ROOT_VARIABLE}, or datasets)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="number of processes")
    parser.add_argument("--check", action="store_true", help="check existing files, convert nothing")
    parser.add_argument("--skip-bad", action="store_true", help="skip images that cannot be converted")
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
        converter = get_converter(arguments.name)
        complete = arguments.check or convert(converter, arguments)
        valid = check(converter, arguments.workers)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error}; free disk space or choose another --root, then run this again.", file=sys.stderr)
        return 2
    return 0 if complete and valid else 1


def print_sources() -> int:
    """Print where to get each data set; returns the exit code 0."""
    for name, converter in converters().items():
        print(f"{name}: {converter.title}")
        print(textwrap.indent(textwrap.fill(converter.source, 100), "    "))
        for path, what in converter.needs.items():
            print(f"      {datasets_root() / path}   {what}")
    return 0


def convert(converter: Converter, arguments: argparse.Namespace) -> bool:
    """Convert a download; returns True if no image was skipped."""
    from frozenseg.data.prepare.runner import prepare

    require_folder(datasets_root() / STATE_FOLDER, "--root")
    report = prepare(converter, datasets_root(), arguments.workers, arguments.skip_bad)
    print(f"{converter.title}: {report.done} done, {report.kept} done before, {len(report.bad)} skipped.")
    for name, reason in report.bad.items():
        print(f"  skipped: {name}: {reason}")
    return not report.bad


def check(converter: Converter, workers: int) -> bool:
    """Check the data sets of a converter; returns True if at least one exists and all existing ones are valid."""
    from frozenseg.data.checks.inspect import inspect_dataset

    valid, missing = [], []
    for name in converter.datasets:
        try:
            audit, sheet = inspect_dataset(name, datasets_root() / STATE_FOLDER / converter.name, workers)
        except MissingDataError as error:
            missing.append(f"{name}: does not exist. {error}")
            continue
        except DataError as error:
            print(f"{name}: cannot be read. {error}")
            valid.append(False)
            continue
        print(audit.summary())
        print(f"  contact sheet with images and annotations: {sheet}")
        valid.append(not audit.problems and audit.complete)
    for line in missing:
        print(line)
    return bool(valid) and all(valid)


if __name__ == "__main__":
    sys.exit(main())
