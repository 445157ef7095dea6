r"""Make the files of a data set: convert a download, or generate ToyWorld, and check the result.

Nothing is downloaded: get the raw files first, from the addresses that --list prints.

Examples:
  list where to get each data set, and the files that are needed:
    frozenseg prepare --list

  generate ToyWorld, a synthetic data set, in datasets/toyworld:
    frozenseg prepare toyworld --train 2000 --val 100

  convert ADE20K with four processes; run the command again to resume after an interruption:
    frozenseg prepare ade20k --workers 4

  check the files of an earlier run, in another folder of data sets:
    frozenseg prepare ade20k --check --root /data/datasets

Exit code: 0 if the data sets are complete and valid, 1 if something is missing or invalid, 2 if the conversion failed.
"""

import argparse
import textwrap
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.cli.dataset_flags import add_root, add_workers, check_workers, use_root
from frozenseg.cli.toyworld_data import FOLDER, make_toyworld
from frozenseg.errors import ConfigError, DataError, MissingDataError
from frozenseg.output_paths import require_folder

if TYPE_CHECKING:
    from frozenseg.data.prepare.converter import Converter

INTERRUPTED_HINT = "interrupted; the same command resumes"
_TOYWORLD = {
    "seed": 0,
    "train": 2000,
    "val": 200,
    "size": 128,
    "difficulty": 0,
}  # flags of ToyWorld, and their defaults


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name of the data set and the flags of the conversion."""
    parser.add_argument("name", nargs="?", metavar="NAME", help="data set, see --list; toyworld is generated")
    parser.add_argument("--list", action="store_true", help="print where to get each data set, and exit")
    add_root(parser)
    add_workers(parser)
    parser.add_argument("--check", action="store_true", help="check existing files, convert nothing")
    parser.add_argument("--skip-bad", action="store_true", help="skip images that cannot be converted")
    toyworld = parser.add_argument_group("flags of toyworld")
    meanings = {
        "seed": "the same seed gives the same files",
        "train": "training images",
        "val": "images in each of val_seen and val_unseen",
        "size": "height and width of the images in pixels",
        "difficulty": "0 to 3, from things that colours tell apart to camouflage, holes and clutter",
    }
    for name, meaning in meanings.items():
        toyworld.add_argument(f"--{name}", type=int, metavar="N", help=f"{meaning} (default: {_TOYWORLD[name]})")


def run(arguments: argparse.Namespace) -> int:
    """Convert and check a data set; returns the exit code.

    Raises:
        FrozenSegError: wrong arguments, or files that are missing, damaged or cannot be written.
    """
    from frozenseg.data.metadata import datasets_root
    from frozenseg.data.prepare.converter import get_converter
    from frozenseg.log import setup_logging

    check_workers(arguments)
    if arguments.name is None and not arguments.list:
        raise ConfigError("No data set is named: name a data set, or give --list.")
    setup_logging()
    use_root(arguments)
    if arguments.list:
        return _print_sources()
    if arguments.name == FOLDER and not arguments.check:
        return _make_toyworld(arguments, datasets_root())
    if arguments.name == FOLDER:
        raise ConfigError("--check is for converted downloads: `frozenseg validate toyworld_train` checks ToyWorld.")
    _refuse_flags_of_toyworld(arguments)
    try:
        converter = get_converter(arguments.name)
        complete = arguments.check or _convert(converter, arguments)
        valid = _check(converter, arguments.workers)
    except OSError as error:
        raise DataError(f"{error}; free disk space or choose another --root, then run this again.") from error
    return 0 if complete and valid else 1


def _make_toyworld(arguments: argparse.Namespace, root: Path) -> int:
    arguments.root = root
    for name, value in _TOYWORLD.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    make_toyworld(arguments)
    return 0


def _refuse_flags_of_toyworld(arguments: argparse.Namespace) -> None:
    """Raise ConfigError if a flag of the generator is given for a download."""
    for name in _TOYWORLD:
        if getattr(arguments, name) is not None:
            raise ConfigError(f"--{name} is a flag of toyworld, not of {arguments.name}: leave it out.")


def _print_sources() -> int:
    """Print where to get each data set; returns the exit code 0."""
    from frozenseg.data.metadata import datasets_root
    from frozenseg.data.prepare.converter import converters

    print("toyworld: ToyWorld, a synthetic data set\n    Generated in seconds; needs no files.")
    for name, converter in converters().items():
        print(f"{name}: {converter.title}")
        print(textwrap.indent(textwrap.fill(converter.source, 100), "    "))
        for path, what in converter.needs.items():
            print(f"      {datasets_root() / path}   {what}")
    return 0


def _convert(converter: "Converter", arguments: argparse.Namespace) -> bool:
    """Convert a download; returns True if no image was skipped."""
    from frozenseg.data.metadata import datasets_root
    from frozenseg.data.prepare.converter import STATE_FOLDER
    from frozenseg.data.prepare.runner import prepare

    require_folder(datasets_root() / STATE_FOLDER, "--root")
    report = prepare(converter, datasets_root(), arguments.workers, arguments.skip_bad)
    print(f"{converter.title}: {report.done} done, {report.kept} done before, {len(report.bad)} skipped.")
    for name, reason in report.bad.items():
        print(f"  skipped: {name}: {reason}")
    return not report.bad


def _check(converter: "Converter", workers: int) -> bool:
    """Check the data sets of a converter; returns True if at least one exists and all existing ones are valid."""
    from frozenseg.data.checks.inspect import inspect_dataset
    from frozenseg.data.metadata import datasets_root
    from frozenseg.data.prepare.converter import STATE_FOLDER

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
