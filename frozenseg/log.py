"""One logger for the package, a voice for rank 0 only, and a progress bar that degrades to lines in a log file."""

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
ROOT_LOGGER = "frozenseg"


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module, ``get_logger(__name__)``."""
    return logging.getLogger(name)


def setup_logging(output_dir: str | Path | None = None, process_rank: int = 0) -> None:
    """Send the package's log to the console (rank 0) and to a file.

    Args:
        output_dir: folder for ``log.txt`` (``log.txt.rank1`` and so on for the others); None for console only.
        process_rank: this process's number; only 0 speaks on the console.
    """
    logger = logging.getLogger(ROOT_LOGGER)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    for handler in list(logger.handlers):
        logger.removeHandler(handler)
        handler.close()
    if process_rank == 0:
        console = _TqdmHandler()
        console.setFormatter(logging.Formatter("%(asctime)s %(levelname).1s %(message)s", datefmt="%H:%M:%S"))
        logger.addHandler(console)
    if output_dir is not None:
        Path(output_dir).mkdir(parents=True, exist_ok=True)
        suffix = "" if process_rank == 0 else f".rank{process_rank}"
        file = _LogFile(Path(output_dir) / f"log.txt{suffix}", encoding="utf-8")
        file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        logger.addHandler(file)


def progress(items: Iterable[Item], description: str, total: int | None = None, quiet: bool = False) -> Iterator[Item]:
    """Iterate with a progress bar: drawn on a terminal, a line now and then elsewhere.

    Args:
        items: what to go through.
        description: what is being done, a few words.
        total: how many there are, where ``items`` cannot say.
        quiet: show nothing (other ranks).

    Yields:
        The items.
    """
    interval = 0.1 if sys.stderr.isatty() else 15.0
    yield from tqdm(items, desc=description, total=total, disable=quiet, mininterval=interval, dynamic_ncols=True)


class _LogFile(logging.FileHandler):
    """Says once that the file cannot be written, a full disk for example, where logging would say it at every line."""

    _told = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        if not self._told:
            self._told = True
            tqdm.write(f"{self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr)


class _TqdmHandler(logging.Handler):
    """Writes log lines above a running progress bar instead of through it."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)
