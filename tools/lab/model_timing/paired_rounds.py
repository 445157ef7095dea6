"""Runs of one case in all checkouts in turn, and the statistics of their times."""

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lab.model_timing.case import Case
from lab.model_timing.checkout_process import CheckoutProcess
from lab.model_timing.parts import with_sums


class Ratio(NamedTuple):
    """Seconds of the other checkout over those of this one, pair by pair."""

    median: float
    lowest: float
    highest: float

    def __str__(self) -> str:
        """Return the ratio with its spread."""
        return f"{self.median:.2f} ({self.lowest:.2f}-{self.highest:.2f})"


class Difference(NamedTuple):
    """Difference of a result of two checkouts."""

    name: str
    largest: float  # absolute; for labels, ids and masks the share of different pixels
    scale: float  # standard deviation of the values; of a single value its size; 1 for shares


class CaseTimes(NamedTuple):
    """Measurements of one case; seconds by part, a list of rounds for each checkout, this one first."""

    case: Case
    rounds: list[list[dict[str, float]]]
    memory: list[list[int]]  # bytes before the first run of the case and at its peak
    differences: list[Difference]

    def median(self, part: str, checkout: int = 0) -> float | None:
        """Return the median seconds of a part; None for a part that did not run."""
        times = [parts[part] for parts in self.rounds[checkout] if part in parts]
        return statistics.median(times) if times else None

    def ratio(self, part: str) -> Ratio | None:
        """Return the ratio of the two checkouts; None for a part that one of them does not have."""
        if len(self.rounds) < 2:
            return None
        pairs = [
            other[part] / this[part]
            for this, other in zip(*self.rounds, strict=True)
            if this.get(part) and other.get(part)
        ]
        return Ratio(statistics.median(pairs), min(pairs), max(pairs)) if pairs else None

    def as_json(self, floor: dict[str, float]) -> dict[str, Any]:
        """Return all numbers, with the floor of each part in seconds."""
        names = list(self.rounds[0][0])
        ratios = {name: ratio._asdict() for name in names if (ratio := self.ratio(name))}
        return {
            "case": self.case._asdict(),
            "seconds": [{name: self.median(name, index) for name in names} for index in range(len(self.rounds))],
            "rounds": self.rounds,
            "memory": self.memory,
            "floor": floor,
            "ratios": ratios,
            "differences": [difference._asdict() for difference in self.differences],
        }


def time_case(processes: Sequence[CheckoutProcess], case: Case, rounds: int, folder: Path) -> CaseTimes:
    """Run a case in all processes in turn.

    The first run of each process is not timed: it gives the memory and the results that are compared.

    Args:
        processes: this checkout, then others.
        case: the input.
        rounds: timed runs of each process.
        folder: for the results.
    """
    memory, files = [], [folder / f"{index}.pt" for index in range(len(processes))]
    for process, file in zip(processes, files, strict=True):
        memory.append(process.run(case, file if len(processes) > 1 else None)["memory"])
    times: list[list[dict[str, float]]] = [[] for _ in processes]
    for _ in range(rounds):
        for process, kept in zip(processes, times, strict=True):
            answer = process.run(case)
            kept.append(with_sums(answer["parts"], answer["seconds"]))
    differences = (
        compare_results(*(torch.load(file, weights_only=True) for file in files)) if len(processes) == 2 else []
    )
    return CaseTimes(case, times, memory, differences)


def compare_results(these: dict[str, Tensor], others: dict[str, Tensor]) -> list[Difference]:
    """Return the difference of each result; infinite for results of different sizes."""
    differences = []
    for name in these:
        this, other = these[name], others.get(name)
        if other is None or this.shape != other.shape:
            differences.append(Difference(name, float("inf"), 1.0))
        elif this.numel() == 0:
            differences.append(Difference(name, 0.0, 1.0))
        elif this.is_floating_point():
            largest = float((this.double() - other.double()).abs().max())
            scale = this.double().std() if this.numel() > 1 else this.double().abs()
            differences.append(Difference(name, largest, float(scale)))
        else:
            differences.append(Difference(name, float((this != other).double().mean()), 1.0))
    return differences
