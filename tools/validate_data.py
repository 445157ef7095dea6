r"""Look at data sets before days are spent on them: every file, size, id and value; classes and unlabelled pixels.

Examples:
  look at every picture of a data set, with four processes:
    python tools/validate_data.py openvocab_ade20k_panoptic_val --workers 4

  look at a hundred of them:
    python tools/validate_data.py openvocab_coco_2017_train_panoptic_with_sem_seg --sample 100

  your own, by what it is made of:
    python tools/validate_data.py "folder:farm/images?labels=farm/labels&classes=farm/classes.txt"

  see what data sets there are:
    python tools/validate_data.py --list

A sheet of pictures beside their annotations is drawn for each data set. The exit code is 0 when nothing is wrong, 1 for
a data set with problems, 2 for one that cannot be read.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tabulate import tabulate

from frozenseg.data.metadata import ROOT_VARIABLE
from frozenseg.errors import FrozenSegError


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="data sets, as in DATASETS.TEST")
    parser.add_argument("--list", action="store_true", help="print all data sets and stop")
    parser.add_argument("--root", type=Path, help=f"folder of the data sets (default: ${ROOT_VARIABLE}, or datasets)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="look at so many pictures (default: all)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/data"),
        metavar="DIR",
        help="where the sheets go (default: output/data)",
    )
    arguments = parser.parse_args(argv)
    if min(arguments.workers, arguments.sample + 1) < 1:
        parser.error("--workers is at least 1, --sample at least 0")
    if not arguments.names and not arguments.list:
        parser.error("name a data set, or give --list")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    if arguments.root is not None:
        os.environ[ROOT_VARIABLE] = str(arguments.root)
    try:
        return print_table() if arguments.list else max(look_at(name, arguments) for name in arguments.names)
    except OSError as error:
        print(f"error: {error}; choose another --output for the sheets.", file=sys.stderr)
        return 2


def print_table() -> int:
    """Print all data sets as a table that is Markdown too."""
    from frozenseg.data.checks.overview import HEADERS, table_of_data_sets

    rows = [(f"`{name}`", *cells) for name, *cells in table_of_data_sets()]
    align = ("left", *["right"] * (len(HEADERS) - 1))
    print(tabulate(rows, HEADERS, tablefmt="pipe", disable_numparse=True, colalign=align))
    return 0


def look_at(name: str, arguments: argparse.Namespace) -> int:
    """Look at one data set and print the verdict; returns the exit code."""
    from frozenseg.data.checks.inspect import inspect
    from frozenseg.log import setup_logging

    setup_logging()
    try:
        found, sheet = inspect(name, arguments.output, arguments.workers, arguments.sample)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    print(found.verdict())
    print(f"  a few pictures beside their annotations: {sheet}")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
