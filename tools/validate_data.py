r"""Check data sets before training: files, image sizes, segment ids, label values, classes and unlabelled pixels.

Examples:
  check every image of a data set, with four processes:
    python tools/validate_data.py openvocab_ade20k_panoptic_val --workers 4

  check a sample of a hundred images:
    python tools/validate_data.py openvocab_coco_2017_train_panoptic_with_sem_seg --sample 100

  check a custom data set, described by its folders:
    python tools/validate_data.py "folder:farm/images?labels=farm/labels&classes=farm/classes.txt"

  list the data sets:
    python tools/validate_data.py --list

For each data set a contact sheet of images and annotations is drawn. The exit code is 0 without problems, 1 for a data
set with problems, 2 for one that cannot be read.
"""

import argparse
import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from tabulate import tabulate

from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.data.metadata import ROOT_VARIABLE
from frozenseg.errors import DataError
from frozenseg.output_paths import require_folder


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of data sets, as in DATASETS.TEST")
    parser.add_argument("--list", action="store_true", help="print all data sets and stop")
    parser.add_argument("--root", type=Path, help=f"folder of the data sets (default: ${ROOT_VARIABLE}, or datasets)")
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)"
    )
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="number of images to check (default: all)")
    parser.add_argument(
        "--strict", action="store_true", help="refuse objects without a mask instead of leaving them out"
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("output/data"),
        metavar="DIR",
        help="folder for the contact sheets (default: output/data)",
    )
    arguments = parser.parse_args(argv)
    if arguments.workers < 1:
        parser.error(f"--workers is {arguments.workers}: at least 1 process is needed")
    if arguments.sample < 0:
        parser.error(f"--sample is {arguments.sample}: give a number of images, or 0 for all")
    if not arguments.names and not arguments.list:
        parser.error("no data set is named: give its name, or --list")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code: the highest one of all data sets."""
    arguments = parse_arguments(argv)
    if arguments.root is not None:
        os.environ[ROOT_VARIABLE] = str(arguments.root)
    if arguments.list:
        return run_script(print_table)
    return max(run_script(partial(check_dataset, name, arguments)) for name in arguments.names)


def print_table() -> None:
    """Print all data sets as a Markdown table."""
    from frozenseg.data.checks.overview import OVERVIEW_HEADERS, dataset_table

    rows = [(f"`{name}`", *cells) for name, *cells in dataset_table()]
    align = ("left", *["right"] * (len(OVERVIEW_HEADERS) - 1))
    print(tabulate(rows, OVERVIEW_HEADERS, tablefmt="pipe", disable_numparse=True, colalign=align))


def check_dataset(name: str, arguments: argparse.Namespace) -> int:
    """Check one data set and print the result; returns the exit code: 1 if it has problems.

    Raises:
        DataError: The data set cannot be read, or the contact sheet cannot be written.
    """
    from frozenseg.data.checks.inspect import inspect_dataset
    from frozenseg.log import setup_logging

    setup_logging()
    require_folder(arguments.output, "--output")
    try:
        report, sheet = inspect_dataset(name, arguments.output, arguments.workers, arguments.sample, arguments.strict)
    except OSError as error:
        raise DataError(f"{error}; choose another --output for the contact sheets.") from error
    print(report.summary())
    print(f"  contact sheet of images and annotations: {sheet}")
    return 1 if report.problems else 0


if __name__ == "__main__":
    raise SystemExit(main())
