"""Child process that checks inputs one by one: it can be killed, and its memory is limited and measured.

A hang in native code ignores Python's signals, and exhausted memory ends the process that it is in. Therefore no input
is checked in the process of the tests.
"""

import multiprocessing
import os
import resource
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

import torch

from frozenseg.errors import FrozenSegError

SECONDS_PER_INPUT = 10.0  # of processor time, because other processes may use the cores
LONGEST_WAIT = 90.0  # seconds
MEMORY_PER_INPUT = 3 << 30  # bytes beyond the memory of the process before the first input
LONGEST_MESSAGE = 2500  # characters: a message does not print a whole file
ACCEPTED, REFUSED, FAULT = "accepted", "refused", "fault"
Check = Callable[[Any, Path], None]


class Verdict(NamedTuple):
    """Result of the check of one input.

    Attributes:
        kind: ``accepted``, ``refused`` (a FrozenSegError), or ``fault``.
        text: message of the refusal, or description of the fault.
        seconds: duration.
        memory: largest resident memory of the process while it checked the input, bytes; 0 if it is not known.
    """

    kind: str
    text: str
    seconds: float
    memory: int


class ChildProcess:
    """Process that checks inputs of one format; it starts at the first input and again after a fault that ends it.

    Args:
        check: called with an input and an empty folder; returns, or raises FrozenSegError; anything else is a fault.
    """

    def __init__(self, check: Check) -> None:
        self.check = check
        self._process: Any = None
        self._pipe: Any = None

    def run(self, case: Any) -> Verdict:
        """Check one input within the limits of time and memory."""
        if self._process is None or not self._process.is_alive():
            self._start()
        started = time.perf_counter()
        self._pipe.send(case)
        if not self._has_result(started):
            self.stop()
            text = f"no result after {SECONDS_PER_INPUT:.0f} s of processor time, or {LONGEST_WAIT:.0f} s"
            return Verdict(FAULT, text, time.perf_counter() - started, 0)
        try:
            kind, text, memory = self._pipe.recv()
        except EOFError:
            self._process.join()
            text = f"the process ended with exit code {self._process.exitcode}"
            self.stop()
            return Verdict(FAULT, text, time.perf_counter() - started, 0)
        return Verdict(kind, text, time.perf_counter() - started, memory)

    def stop(self) -> None:
        """Kill the process, if there is one."""
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._pipe.close()
        self._process = None

    def _has_result(self, started: float) -> bool:
        """Wait for the result of an input; return False if the process is over its limits."""
        used = _processor_seconds(self._process.pid)
        while not self._pipe.poll(0.2):
            if _processor_seconds(self._process.pid) - used > SECONDS_PER_INPUT:
                return False
            if time.perf_counter() - started > LONGEST_WAIT:
                return False
        return True

    def _start(self) -> None:
        context = multiprocessing.get_context("fork")  # the check need not be pickled, and torch is loaded already
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_answer, args=(self.check, theirs, self._pipe), daemon=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks in processes with threads
            self._process.start()
        theirs.close()


def _answer(check: Check, pipe: Connection, parents: Connection) -> None:
    parents.close()  # else this process would not notice the end of its parent
    torch.set_num_threads(1)  # the threads of the parent process do not exist here
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    limit = _status("VmSize") + MEMORY_PER_INPUT
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    while True:
        try:
            case = pipe.recv()
        except EOFError:
            return
        _reset_peak()
        kind, text = _check_one(check, case)
        pipe.send((kind, text, _status("VmHWM")))


def _check_one(check: Check, case: Any) -> tuple[str, str]:
    with tempfile.TemporaryDirectory(prefix="fuzz_") as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", RuntimeWarning)  # NumPy's: overflow, invalid values
        try:
            check(case, Path(folder))
        except FrozenSegError as error:
            return _judged(str(error))
        except BaseException:  # noqa: BLE001 (any other exception is the fault that is searched for)
            return FAULT, traceback.format_exc()
    return ACCEPTED, ""


def _judged(message: str) -> tuple[str, str]:
    """Return a refusal, or a fault if its message is no short text."""
    if message.strip() and len(message) <= LONGEST_MESSAGE and "Traceback" not in message:
        return REFUSED, message
    return FAULT, f"the message of {len(message)} characters is no sentence: {message[:500]!r}"


def _status(field: str) -> int:
    """Return a field of this process's ``/proc`` status in bytes, or 0 on a system without it."""
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:")), 0)


def _processor_seconds(pid: int) -> float:
    """Return the processor time of a process, or the time of the clock on a system without ``/proc``."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")  # user and system


def _reset_peak() -> None:
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # Linux: VmHWM starts at the present memory
    except OSError:
        return
