"""Fuzzing with new inputs on all cores until the time is up: ``python -m tests.fuzz --seconds 3600``.

Examples:
  a minute on the formats with "coco" in their names:
    python -m tests.fuzz --seconds 60 --formats coco

  check an input with a fault again:
    python -m tests.fuzz --replay output/fuzz/run_lengths_0.pickle

At the end, and after Ctrl-C, a table of all formats is printed. The exit code is 1 if an input has a fault; it is
written to the folder of --output.
"""

import argparse
import multiprocessing
import os
import random
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from pathlib import Path

from tabulate import tabulate

from frozenseg.safe_pickle import load_pickle
from tests.fuzz.child_process import FAULT, ChildProcess
from tests.fuzz.fuzz_format import Tally, write_fault
from tests.fuzz.search import JobResult, formats, jobs, search

MEBIBYTE = 1 << 20
HEADERS = ("format", "inputs", "refused", "accepted", "faults", "longest, s", "peak memory, MiB")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    parser = argparse.ArgumentParser(
        "python -m tests.fuzz", None, description, epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=3600, help="duration (default: 3600)")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes (default: one per core)")
    parser.add_argument("--seed", type=int, help="first seed (default: another one each time)")
    parser.add_argument("--formats", default="", metavar="TEXT", help="only formats with this text in their name")
    parser.add_argument("--output", type=Path, default=Path("output/fuzz"), help="folder for inputs with a fault")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="check one input again and stop")
    return parser.parse_args(argv)


class Search:
    """Jobs on all cores, with their results so far.

    Args:
        arguments: of the command line.
    """

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments = arguments
        self.formats = {name: item for name, item in formats().items() if arguments.formats in name}
        self.tallies = {name: Tally() for name in self.formats}
        self.faults: dict[str, set[str]] = {name: set() for name in self.formats}  # kinds, see `kind_of`
        self.seed = arguments.seed if arguments.seed is not None else random.SystemRandom().randrange(1 << 32)

    def run(self) -> None:
        """Search until the time is up."""
        started = time.monotonic()
        share = self.arguments.seconds * self.arguments.workers / max(1, len(self.formats))
        waiting = jobs(list(self.formats), self.seed, started + self.arguments.seconds)
        pending: set[Future[JobResult]] = set()
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self.arguments.workers, context) as pool, _ending_processes():
            while True:
                while len(pending) < self.arguments.workers and (job := next(waiting, None)) is not None:
                    name, seed, seconds = job
                    pending.add(pool.submit(search, name, seed, min(seconds, max(share, 1))))
                if not pending:
                    return
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    self.add(future.result(), time.monotonic() - started)

    def add(self, result: JobResult, elapsed: float) -> None:
        """Count the result of a job, print it, and write an input with a fault."""
        name, tally, fault = result
        self.tallies[name].merge(tally)
        print(f"{elapsed:6.0f} s  {name}: {tally.tried} inputs, longest {tally.longest:.2f} s", flush=True)
        if fault is not None and (kind := kind_of(fault[1])) not in self.faults[name]:
            self.faults[name].add(kind)
            path = write_fault(self.arguments.output, self.formats[name], *fault)
            print(f"FAULT of {name}, written to {path}:\n{fault[1]}", flush=True)

    def table(self) -> str:
        """Return the figures of all formats."""
        rows = [
            (name, tally.tried, tally.refused, tally.accepted, len(self.faults[name]), f"{tally.longest:.2f}",
             f"{tally.peak / MEBIBYTE:.0f}")
            for name, tally in self.tallies.items()
        ]  # fmt: skip
        return tabulate(rows, HEADERS, tablefmt="github", disable_numparse=True, colalign=("left", *["right"] * 6))


@contextmanager
def _ending_processes() -> Iterator[None]:
    """End the processes of the pool at an exception, such as that of Ctrl-C, instead of waiting for their jobs."""
    try:
        yield
    except BaseException:
        for process in multiprocessing.active_children():
            process.terminate()
        raise


def kind_of(description: str) -> str:
    """Return the last line of code in a traceback and the type of the exception; faults with the same are one kind."""
    lines = description.strip().splitlines()
    code = [line.strip() for line in lines if line.lstrip().startswith("File ")]
    return f"{code[-1]}: {lines[-1].partition(':')[0]}" if code else description


def replay(path: Path) -> int:
    """Check one input again and print the result; returns the exit code."""
    with path.open("rb") as file:
        name, case = load_pickle(file)  # plain values only, no code
    child = ChildProcess(formats()[name].check)
    verdict = child.run(case)
    child.stop()
    print(f"{verdict.kind} after {verdict.seconds:.2f} s, {verdict.memory / MEBIBYTE:.0f} MiB: {verdict.text}")
    return int(verdict.kind == FAULT)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the search and return the exit code."""
    arguments = parse_arguments(argv)
    if arguments.replay:
        return replay(arguments.replay)
    current = Search(arguments)
    if not current.formats:
        raise SystemExit(f"--formats {arguments.formats!r} is in no name; known: {', '.join(formats())}")
    print(f"{len(current.formats)} formats, first seed {current.seed}")
    try:
        current.run()
    except (KeyboardInterrupt, BrokenProcessPool):
        print("interrupted", flush=True)
    print(current.table(), flush=True)
    return int(any(current.faults.values()))


if __name__ == "__main__":
    sys.exit(main())
