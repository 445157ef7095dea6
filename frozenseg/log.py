"""Logging set-up of the package (console on rank 0, one log file per process) and progress bars."""

import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

Item = TypeVar("Item")
ROOT_LOGGER = "frozenseg"
MAX_LOGGED = 10_000  # warnings that are remembered: names from the clients of a server have no end
_logged: set[str] = set()  # texts or keys of warnings that are logged once


def get_logger(name: str) -> logging.Logger:
    """Return the logger of a module, ``get_logger(__name__)``.

    Loggers of modules outside of the package, such as scripts, are children of the package's logger, too, so that their
    messages are shown and written to the same log.
    """
    inside = name.partition(".")[0] == ROOT_LOGGER
    return logging.getLogger(name if inside else f"{ROOT_LOGGER}.{name}")


def setup_logging(output_dir: str | Path | None = None, process_rank: int = 0) -> None:
    """Log the messages of the package to the console (rank 0 only) and to a file.

    Args:
        output_dir: folder for ``log.txt`` (``log.txt.rank1`` and so on for other ranks); None for the console only.
        process_rank: rank of this process.
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


def warn_once(logger: logging.Logger, message: str, *args: object, key: str = "") -> None:
    """Log a warning, but only once in a process; worker processes that start later do not repeat it.

    After ``MAX_LOGGED`` different warnings, further ones are not logged.

    Args:
        logger: logger of the module.
        message: message with ``%`` placeholders.
        *args: values of the placeholders.
        key: warnings with the same key count as one; empty for the text of the warning.
    """
    text = message % args if args else message
    if (key or text) not in _logged and len(_logged) < MAX_LOGGED:
        _logged.add(key or text)
        logger.warning("%s", text)


def progress(items: Iterable[Item], description: str, total: int | None = None, quiet: bool = False) -> Iterator[Item]:
    """Iterate with a progress bar: redrawn on a terminal, one line every 15 seconds in a log file.

    Args:
        items: items to iterate over.
        description: short description of the work.
        total: number of items; None for the length of ``items``.
        quiet: True to show nothing, as on ranks other than 0.

    Yields:
        The items.
    """
    yield from tqdm(
        items, desc=description, total=total, disable=quiet, mininterval=_redraw_interval(), dynamic_ncols=True
    )


def progress_bar(description: str, total: int, unit: str) -> tqdm:
    """Return a progress bar like that of :func:`progress`, which the caller updates and closes.

    Args:
        description: short description of the work.
        total: number of items.
        unit: name of an item, for the rate.
    """
    return tqdm(desc=description, total=total, unit=f" {unit}", mininterval=_redraw_interval(), dynamic_ncols=True)


def _redraw_interval() -> float:
    return 0.1 if sys.stderr.isatty() else 15.0


class _LogFile(logging.FileHandler):
    """Log file that reports a failed write (such as on a full disk) once, not for every line."""

    _reported = False

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 (logging's name)
        if not self._reported:
            self._reported = True
            tqdm.write(f"The log file {self.baseFilename} cannot be written: {sys.exc_info()[1]}", file=sys.stderr)


class _TqdmHandler(logging.Handler):
    """Writes log lines above a running progress bar, which would otherwise be broken by them."""

    def emit(self, record: logging.LogRecord) -> None:
        tqdm.write(self.format(record), file=sys.stderr)
