"""Subprocesses of a study: several run in parallel, and completed ones are not run again."""

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
from typing import IO

from frozenseg.atomic import write_json
from frozenseg.errors import FrozenSegError
from frozenseg.log import get_logger

logger = get_logger(__name__)
RECORD = "job.json"  # in the folder of a job: fingerprint, completed or not, command and seconds
LOCK = "running.lock"  # in the folder of a job: locked by its process
LAST_LINES = 15  # of the log, shown when a process fails


class RunFailedError(FrozenSegError):
    """A process failed or was stopped."""


@dataclass(frozen=True)
class Job:
    """One subprocess.

    Attributes:
        title: name in log and error messages.
        folder: its ``OUTPUT_DIR``.
        command: command line without the interpreter and OUTPUT_DIR.
        fingerprint: identifies the result; ablations that share a training have different commands for it.
        output_file: file in the folder that exists after completion.
        can_resume: True if the command accepts ``--resume``.
    """

    title: str
    folder: Path
    command: tuple[str, ...]
    fingerprint: tuple[str, ...]
    output_file: str
    can_resume: bool = False

    @property
    def seconds(self) -> float | None:
        """Run time with all interrupted runs, or None if the job is not completed."""
        return self._recorded(done=True)

    @property
    def seconds_before(self) -> float:
        """Run time of interrupted runs."""
        return self._recorded(done=False) or 0.0

    def record(self, seconds: float, done: bool) -> None:
        """Write the run time and the state of the job to its folder.

        Args:
            seconds: run time with all interrupted runs.
            done: True if the job is completed.
        """
        state = {"work": list(self.fingerprint), "done": done}
        write_json(self.folder / RECORD, {**state, "command": list(self.command), "seconds": round(seconds, 1)})

    def _recorded(self, done: bool) -> float | None:
        try:
            record = json.loads((self.folder / RECORD).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        same = record.get("work") == list(self.fingerprint) and record.get("done") is done
        return float(record["seconds"]) if same else None


def run_jobs(jobs: Sequence[Job], at_once: int) -> None:
    """Run all jobs that are not completed.

    Args:
        jobs: in any order.
        at_once: largest number of parallel processes; the cores are divided among them.

    Raises:
        RunFailedError: A process failed or was stopped; the other processes are terminated.
    """
    run_chains([(job,) for job in jobs], at_once)


def run_chains(chains: Sequence[Sequence[Job]], at_once: int) -> None:
    """Run all jobs that are not completed; those of a chain one after another.

    Args:
        chains: jobs, each of which may need the files of the earlier ones in its chain.
        at_once: largest number of parallel processes; the cores are divided among them, unless OMP_NUM_THREADS is set.

    Raises:
        RunFailedError: A process failed or was stopped; the other processes are terminated.
    """
    incomplete = [[job for job in chain if job.seconds is None] for chain in chains]
    remaining = [chain for chain in incomplete if chain]
    jobs, open_jobs = sum(map(len, chains)), sum(map(len, remaining))
    if open_jobs < jobs:
        logger.info("%d of %d jobs are already completed.", jobs - open_jobs, jobs)
    if not remaining:
        return
    at_once = min(at_once, len(remaining))
    threads = {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS") or str(max(1, (os.cpu_count() or 1) // at_once))}
    processes = _Processes()
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(_run_chain, chain, threads, processes) for chain in remaining]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)  # chains that have not started
            processes.terminate()


class _Processes:
    """The running subprocesses, which are terminated together."""

    def __init__(self) -> None:
        self._running: set[subprocess.Popen[bytes]] = set()
        self._terminated = False
        self._lock = threading.Lock()

    def run(self, command: Sequence[str], log: Path, variables: Mapping[str, str], locks: Sequence[int]) -> int:
        """Run a process with its output written to a log file; returns its exit code.

        Args:
            command: its command line.
            log: file for stdout and stderr.
            variables: added to the environment.
            locks: file descriptors of locked files, which stay locked while the process runs.

        Raises:
            CancelledError: :meth:`terminate` was called.
        """
        with log.open("w", encoding="utf-8") as file:
            with self._lock:
                if self._terminated:
                    raise CancelledError
                process = subprocess.Popen(  # noqa: S603 (this project's own scripts)
                    command, stdout=file, stderr=subprocess.STDOUT, env={**os.environ, **variables}, pass_fds=locks
                )
                self._running.add(process)
            code = process.wait()
            with self._lock:
                self._running.discard(process)
        return code

    def terminate(self) -> None:
        """Terminate all running processes, and start no others."""
        with self._lock:
            self._terminated = True
            for process in self._running:
                process.terminate()


def _run_chain(chain: Sequence[Job], variables: Mapping[str, str], processes: _Processes) -> None:
    for job in chain:
        _run(job, variables, processes)


def _run(job: Job, variables: Mapping[str, str], processes: _Processes) -> None:
    job.folder.mkdir(parents=True, exist_ok=True)
    with (job.folder / LOCK).open("w") as lock:
        try:
            locks = _lock(lock)
        except BlockingIOError as error:
            raise RunFailedError(
                f"The {job.title} still runs in {job.folder}, started by a command that was killed: wait for it, or "
                "stop it, then run the same command again."
            ) from error
        _run_locked(job, variables, processes, locks)


def _lock(file: IO[str]) -> tuple[int, ...]:
    """Lock a file until this process and those that get its descriptor have ended; returns the descriptors to pass.

    Windows passes no descriptors, so that nothing is locked there.

    Raises:
        BlockingIOError: another process holds the lock.
    """
    if sys.platform == "win32":
        return ()
    import fcntl

    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return (file.fileno(),)


def _run_locked(job: Job, variables: Mapping[str, str], processes: _Processes, locks: Sequence[int]) -> None:
    logger.info("Started: %s.", job.title)
    output, log = job.folder / job.output_file, job.folder / "run.log"
    resumed = job.can_resume and (job.folder / "last_checkpoint").exists()
    if not resumed:
        output.unlink(missing_ok=True)
    before = job.seconds_before if resumed else 0.0
    command = [sys.executable, *job.command, "OUTPUT_DIR", str(job.folder)]
    command[2:2] = ["--resume"] if resumed else []
    started = time.perf_counter()
    code = processes.run(command, log, variables, locks)
    seconds = before + time.perf_counter() - started
    job.record(seconds, done=code == 0 and output.is_file())
    if code != 0:
        tail = "\n  ".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:])
        raise RunFailedError(
            f"The {job.title} failed with exit code {code} ({shlex.join(command)}); the end of {log}:\n  {tail}"
        )
    if not output.is_file():
        raise RunFailedError(
            f"The {job.title} was stopped before completion (log: {log}); run the same command again to resume."
        )
    logger.info("Completed in %.0f s: %s.", seconds, job.title)
