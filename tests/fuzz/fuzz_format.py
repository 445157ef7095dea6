"""Decorator that makes a fuzz test of a strategy and a property, for pytest and for ``python -m tests.fuzz``."""

import pickle
import pprint
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from tests.fuzz.child_process import ACCEPTED, FAULT, REFUSED, Check, ChildProcess, Verdict

SHRINKING = 15.0  # seconds for the search of a smaller input with a fault


class FaultError(AssertionError):
    """Input with another result than a right value or a FrozenSegError."""


class _EnoughError(BaseException):
    """End of a search; hypothesis handles subclasses of Exception only."""


@dataclass
class Tally:
    """Figures of the inputs of one format.

    Attributes:
        tried: number of inputs.
        refused: number of inputs with a FrozenSegError.
        accepted: number of inputs without.
        longest: largest duration of one input, seconds.
        peak: largest resident memory of the process, bytes.
    """

    tried: int = 0
    refused: int = 0
    accepted: int = 0
    longest: float = 0.0
    peak: int = 0

    def add(self, verdict: Verdict) -> None:
        """Count the result of one input."""
        self.tried += 1
        self.accepted += verdict.kind == ACCEPTED
        self.refused += verdict.kind == REFUSED
        self.longest = max(self.longest, verdict.seconds)
        self.peak = max(self.peak, verdict.memory)

    def merge(self, other: "Tally") -> None:
        """Add the figures of other inputs of the same format."""
        self.tried += other.tried
        self.refused += other.refused
        self.accepted += other.accepted
        self.longest = max(self.longest, other.longest)
        self.peak = max(self.peak, other.peak)


@dataclass(frozen=True)
class FuzzFormat:
    """A format of files or arguments, with the property that every input of it has.

    Attributes:
        name: in tables.
        cases: strategy of its inputs, which can be pickled.
        check: the property.
        examples: number of inputs in the test suite.
    """

    name: str
    cases: SearchStrategy[Any]
    check: Check
    examples: int

    def search(self, examples: int, seed: int | None = None) -> tuple[Tally, tuple[Any, str] | None]:
        """Check inputs until one has a fault.

        Args:
            examples: number of inputs.
            seed: of the inputs; None for those of the test suite, which are always the same.

        Returns:
            The figures, and the smallest input with a fault, with its description.
        """
        tally, faults, child, end = Tally(), [], ChildProcess(self.check), [0.0]

        @settings(
            max_examples=examples,
            derandomize=seed is None,
            database=None,
            deadline=None,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
            print_blob=False,
            report_multiple_bugs=False,
        )
        @given(self.cases)
        def check_one(case: Any) -> None:
            if faults and time.monotonic() > end[0]:
                raise _EnoughError
            verdict = child.run(case)
            if not faults:
                tally.add(verdict)
                end[0] = time.monotonic() + SHRINKING
            if verdict.kind == FAULT:
                faults.append((case, verdict.text))
                raise FaultError(verdict.text)

        try:
            check_one() if seed is None else hypothesis.seed(seed)(check_one)()
        except (FaultError, hypothesis.errors.Flaky, _EnoughError):
            return tally, faults[-1]  # the last one is among the smallest
        finally:
            child.stop()
        return tally, None


def fuzz(name: str, cases: SearchStrategy[Any], examples: int) -> Callable[[Check], Callable[[], None]]:
    """Return a decorator that turns a property into a test of a fixed set of inputs.

    Args:
        name: of the format.
        cases: strategy of its inputs.
        examples: number of inputs in the test suite.
    """

    def decorate(check: Check) -> Callable[[], None]:
        fuzz_format = FuzzFormat(name, cases, check, examples)

        def test() -> None:
            tally, fault = fuzz_format.search(examples)
            assert fault is None, f"{fault[1]}\nThe input is {pprint.pformat(fault[0], width=110)}"
            assert tally.accepted, "every input was refused: the property holds nothing"

        test.__name__, test.__doc__, test.__module__ = check.__name__, check.__doc__, check.__module__
        test.format = fuzz_format  # type: ignore[attr-defined]
        return test

    return decorate


def write_fault(folder: Path, fuzz_format: FuzzFormat, case: Any, description: str) -> Path:
    """Write an input with a fault: ``NAME.txt`` to read, ``NAME.pickle`` to check it again; returns the pickle."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = fuzz_format.name.replace(" ", "_")
    number = len(list(folder.glob(f"{stem}_*.pickle")))
    path = folder / f"{stem}_{number}.pickle"
    path.write_bytes(pickle.dumps((fuzz_format.name, case)))
    path.with_suffix(".txt").write_text(f"{description}\n\n{pprint.pformat(case, width=110)}\n", encoding="utf-8")
    return path
