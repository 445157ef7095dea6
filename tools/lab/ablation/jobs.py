"""Processes, several at a time; what is done stays done."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, CancelledError, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from frozenseg.atomic import write_json
from frozenseg.errors import FrozenSegError
from frozenseg.log import get_logger

logger = get_logger(__name__)
RECORD = "job.json"  # stands in a job's folder: what was worked at, whether to its end, the command, and the seconds
LAST_LINES = 15  # of a log that are shown when its process fails


class RunFailedError(FrozenSegError):
    """A process did not come to its end."""


@dataclass(frozen=True)
class Job:
    """One process.

    Attributes:
        title: for the log.
        folder: its ``OUTPUT_DIR``.
        command: without the interpreter and OUTPUT_DIR.
        work: what is done by it; questions that share a training have different commands for the same work.
        leaves: a file in the folder that is there when it is done.
        resumes: whether ``--resume`` goes on with what an interruption has left.
    """

    title: str
    folder: Path
    command: tuple[str, ...]
    work: tuple[str, ...]
    leaves: str
    resumes: bool = False

    @property
    def seconds(self) -> float | None:
        """What it took, before interruptions too, or None where it has not been done."""
        return self._recorded(done=True)

    @property
    def seconds_before(self) -> float:
        """What was spent on it until it was interrupted."""
        return self._recorded(done=False) or 0.0

    def record(self, seconds: float, done: bool) -> None:
        """Keep what was spent on it, and whether it is done."""
        record = {"work": list(self.work), "done": done, "command": list(self.command), "seconds": round(seconds, 1)}
        write_json(self.folder / RECORD, record)

    def _recorded(self, done: bool) -> float | None:
        try:
            record = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = record.get("work") == list(self.work) and record.get("done") is done
        return float(record["seconds"]) if same else None


def run_jobs(jobs: Sequence[Job], at_once: int) -> None:
    """Run all that has not been done.

    Args:
        jobs: in any order.
        at_once: processes at most; the cores are shared among them.

    Raises:
        RunFailedError: a process failed or was stopped; those beside it are ended.
    """
    to_do = [job for job in jobs if job.seconds is None]
    if len(to_do) < len(jobs):
        logger.info("%d of %d are done already.", len(jobs) - len(to_do), len(jobs))
    if not to_do:
        return
    at_once = min(at_once, len(to_do))
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // at_once))}
    processes = _Processes()
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(_run, job, threads, processes) for job in to_do]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            processes.end()


class _Processes:
    """Those that run, to be ended together."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen] = set()
        self._ended = False
        self._lock = threading.Lock()

    def run(self, command: Sequence[str], log: Path, variables: Mapping[str, str]) -> int:
        """Run a process to its end, its words into a file; returns its exit code.

        Raises:
            CancelledError: none is to begin any more.
        """
        with log.open("w", encoding="utf-8") as file:
            with self._lock:
                if self._ended:
                    raise CancelledError
                process = subprocess.Popen(  # noqa: S603 (this project's own scripts)
                    command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **variables}
                )
                self._running.add(process)
            code = process.wait()
            with self._lock:
                self._running.discard(process)
        return code

    def end(self) -> None:
        """End those that run, and let no other begin."""
        with self._lock:
            self._ended = True
            for process in self._running:
                process.terminate()


def _run(job: Job, variables: Mapping[str, str], processes: _Processes) -> None:
    logger.info("%s begins.", job.title)
    job.folder.mkdir(parents=True, exist_ok=True)
    left, log = job.folder / job.leaves, job.folder / "run.log"
    resumed = job.resumes and (job.folder / "last_checkpoint").exists()
    if not resumed:
        left.unlink(missing_ok=True)
    before = job.seconds_before if resumed else 0.0
    command = [sys.executable, *job.command, "OUTPUT_DIR", str(job.folder)]
    command[2:2] = ["--resume"] if resumed else []
    started = time.perf_counter()
    code = processes.run(command, log, variables)
    seconds = before + time.perf_counter() - started
    job.record(seconds, done=code == 0 and left.is_file())
    if code != 0:
        shown = "\n  ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
        raise RunFailedError(f"The {job.title} failed ({shlex.join(command)}); the end of {log}:\n  {shown}")
    if not left.is_file():
        raise RunFailedError(f"The {job.title} was stopped before its end ({log}); the same command goes on with it.")
    logger.info("%s took %.0f s.", job.title, seconds)
