"""Flags of the commands that work on data sets: their folder, and the number of processes."""

import argparse
import os
from pathlib import Path

from frozenseg.errors import ConfigError

DATASETS_VARIABLE = "DETECTRON2_DATASETS"  # frozenseg.data.metadata.ROOT_VARIABLE, which is slow to import


def add_root(parser: argparse.ArgumentParser) -> None:
    """Add ``--root``."""
    parser.add_argument(
        "--root", type=Path, help=f"folder of the data sets (default: ${DATASETS_VARIABLE}, or datasets)"
    )


def add_workers(parser: argparse.ArgumentParser) -> None:
    """Add ``--workers``."""
    parser.add_argument(
        "--workers", type=int, default=os.cpu_count() or 1, metavar="N", help="processes (default: one per core)"
    )


def check_workers(arguments: argparse.Namespace) -> None:
    """Check ``--workers``.

    Raises:
        ConfigError: it is below 1.
    """
    if arguments.workers < 1:
        raise ConfigError(f"--workers is {arguments.workers}: at least 1 process is needed.")


def use_root(arguments: argparse.Namespace) -> None:
    """Make ``--root`` the folder of the data sets for this process and those that it starts."""
    if arguments.root is not None:
        os.environ[DATASETS_VARIABLE] = str(arguments.root)
