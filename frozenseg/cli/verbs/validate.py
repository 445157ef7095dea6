r"""Check data sets before training: files, image sizes, segment ids, label values, classes and unlabelled pixels.

Examples:
  check every image of a data set, with four processes:
    frozenseg validate openvocab_ade20k_panoptic_val --workers 4

  check a sample of a hundred images:
    frozenseg validate openvocab_coco_2017_train_panoptic_with_sem_seg --sample 100

  check a custom data set, described by its folders:
    frozenseg validate "folder:farm/images?labels=farm/labels&classes=farm/classes.txt"

  list the data sets:
    frozenseg validate --list

For each data set a contact sheet of images and annotations is drawn. The exit code is 0 without problems, 1 for a data
set with problems, 2 for one that cannot be read.
"""

import argparse
from functools import partial
from pathlib import Path

from frozenseg.cli.command_line import run_script
from frozenseg.cli.dataset_flags import add_root, add_workers, check_workers, use_root
from frozenseg.errors import ConfigError, DataError
from frozenseg.output_paths import require_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the names of the data sets and the flags of the check."""
    parser.add_argument("names", nargs="*", metavar="NAME", help="names of data sets, as in DATASETS.TEST")
    parser.add_argument("--list", action="store_true", help="print all data sets and stop")
    add_root(parser)
    add_workers(parser)
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


def run(arguments: argparse.Namespace) -> int:
    """Check the data sets; returns the highest exit code of all.

    Raises:
        ConfigError: a number is out of range, or no data set is named.
    """
    check_workers(arguments)
    if arguments.sample < 0:
        raise ConfigError(f"--sample is {arguments.sample}: give a number of images, or 0 for all.")
    if not arguments.names and not arguments.list:
        raise ConfigError("No data set is named: give its name, or --list.")
    use_root(arguments)
    if arguments.list:
        _print_table()
        return 0
    return max(run_script(partial(_check_dataset, name, arguments)) for name in arguments.names)


def _print_table() -> None:
    """Print all data sets as a Markdown table."""
    from tabulate import tabulate

    from frozenseg.data.checks.overview import OVERVIEW_HEADERS, dataset_table

    rows = [(f"`{name}`", *cells) for name, *cells in dataset_table()]
    align = ("left", *["right"] * (len(OVERVIEW_HEADERS) - 1))
    print(tabulate(rows, OVERVIEW_HEADERS, tablefmt="pipe", disable_numparse=True, colalign=align))


def _check_dataset(name: str, arguments: argparse.Namespace) -> int:
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
