"""Search for faults in one format: a job of ``python -m tests.fuzz``, in a process of its pool."""

import importlib
import pkgutil
import time
from collections.abc import Iterator, Sequence
from typing import Any

import tests.fuzz
from tests.fuzz.fuzz_format import FuzzFormat, Tally

SECONDS_PER_JOB = 20.0
INPUTS_PER_SEED = 50
JobResult = tuple[str, Tally, Any]


def formats() -> dict[str, FuzzFormat]:
    """Return all formats by name: those of the tests in this folder."""
    names = [module.name for module in pkgutil.iter_modules(tests.fuzz.__path__) if module.name.startswith("test_")]
    modules = [importlib.import_module(f"tests.fuzz.{name}") for name in sorted(names)]
    candidates = [getattr(value, "format", None) for module in modules for value in vars(module).values()]
    return {value.name: value for value in candidates if isinstance(value, FuzzFormat)}


def search(name: str, seed: int, seconds: float) -> JobResult:
    """Check inputs of one format with one seed after the other until the time is up or an input has a fault."""
    tally, end = Tally(), time.monotonic() + seconds
    while time.monotonic() < end:
        part, fault = formats()[name].search(INPUTS_PER_SEED, seed)
        tally.merge(part)
        if fault is not None:
            return name, tally, fault
        seed += 1
    return name, tally, None


def jobs(names: Sequence[str], seed: int, end: float) -> Iterator[tuple[str, int, float]]:
    """Yield format, seed and duration of jobs, each format in turn, until the time is up."""
    while time.monotonic() < end:
        for name in names:
            seed += 1_000_000  # more than the seeds of one job
            left = end - time.monotonic()
            if left > 0:
                yield name, seed, min(SECONDS_PER_JOB, left)
