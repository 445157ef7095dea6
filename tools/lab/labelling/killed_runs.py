"""Runs of the verb label that are killed and resumed, and the comparison of their files."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from frozenseg.errors import FrozenSegError

POLL = 0.02  # seconds
TIMEOUT = 600.0


def kill_after(command: Sequence[str], output: Path, records: int) -> int:
    """Start a run, and kill it when a number of images are finished.

    Args:
        command: arguments after ``frozenseg``.
        output: folder of the run.
        records: number of finished images.

    Returns:
        Number of finished images after the kill.

    Raises:
        FrozenSegError: the run has ended before, or takes too long.
    """
    with subprocess.Popen([sys.executable, "-m", "frozenseg", *command], stdout=subprocess.DEVNULL) as run:
        until = time.monotonic() + TIMEOUT
        while finished(output) < records:
            if run.poll() is not None or time.monotonic() > until:
                run.kill()
                raise FrozenSegError(f"The run has {finished(output)} images, expected to kill it at {records}.")
            time.sleep(POLL)
        os.kill(run.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    return finished(output)


def finished(output: Path) -> int:
    """Return the number of records in the folder of a run."""
    records = output / ".frozenseg/records"
    return sum(1 for path in records.rglob("*.json") if not path.name.startswith(".")) if records.is_dir() else 0


def data_files(output: Path) -> dict[str, bytes]:
    """Return the content of all files of a data set but images, by their path in the folder."""
    paths = [path for split in ("train", "val") for path in (output / split).rglob("*") if path.is_file()]
    paths += [output / "classes.tsv", output / "skipped.tsv"]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in paths}
