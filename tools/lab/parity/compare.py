"""One comparison: how far apart two arrays are, how far they may be, and the table of all of them."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tabulate import tabulate
from torch import Tensor

from frozenseg.errors import ShapeError
from lab.parity.goldens import Golden, statistics

Array = NDArray[Any]
FLOORS = 4.0  # a run may be as many noise floors away
DEVIATIONS = 1e-4  # or this share of the array's standard deviation
SUSPICIOUS = DEVIATIONS / 2  # a difference of this share may come from a tie, and is looked into
ROUNDING = 1e-6  # or this share of its greatest value, for arrays that hardly vary


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        case: name of the golden.
        stage: what was compared.
        maximum: greatest difference.
        mean: mean difference.
        tolerance: greatest difference allowed.
        ties: decisions that the reference itself took by less than the tolerance, and that fell the other way here.
        passed: whether the stage agrees.
    """

    case: str
    stage: str
    maximum: float
    mean: float
    tolerance: float
    ties: int = 0
    passed: bool = True


def tolerance(golden: Array, floor: float) -> float:
    """Return how far values may be from a golden array.

    Args:
        golden: what the reference computed.
        floor: how far two runs of the reference were apart.
    """
    if golden.size == 0:
        return 0.0
    golden = golden.astype(np.float64)
    return max(FLOORS * floor, DEVIATIONS * float(golden.std()), ROUNDING * float(np.abs(golden).max()))


@dataclass(frozen=True)
class Comparer:
    """Compares the stages of one case.

    Attributes:
        case: its name.
    """

    case: str

    def close(
        self, stage: str, actual: Tensor | Array, golden: Array, *, floor: float = 0.0, step: int = 1, ties: int = 0
    ) -> Row:
        """Compare continuous values.

        Args:
            stage: what they are.
            actual: ours, any shape.
            golden: the reference's, every ``step``-th element of the flattened array.
            floor: how far two runs of the reference were apart.
            step: see ``golden``.
            ties: decisions before this stage that were taken the reference's way.

        """
        return self.within(stage, actual, golden, tolerance(golden, floor), step=step, ties=ties)

    def within(
        self, stage: str, actual: Tensor | Array, golden: Array, allowed: float, *, step: int = 1, ties: int = 0
    ) -> Row:
        """Compare continuous values, as :meth:`close` does, with a tolerance of their own.

        Raises:
            ShapeError: as many values as the reference's are not there.
        """
        values = as_array(actual).reshape(-1)[::step]
        wanted = golden.astype(np.float64).reshape(-1)
        if values.shape != wanted.shape:
            raise ShapeError(f"{self.case}, {stage}: {values.size} values, the reference has {wanted.size}.")
        difference = np.abs(values - wanted) if values.size else np.zeros(1)
        greatest = float(difference.max())  # NaN fails
        return Row(self.case, stage, greatest, float(difference.mean()), allowed, ties, greatest <= allowed)

    def whole(self, stage: str, actual: Tensor | Array, golden: Array, *, spread: float, floor: float = 0.0) -> Row:
        """Compare the statistics of a whole array, of which the golden keeps few elements.

        Args:
            stage: what it is.
            actual: ours.
            golden: (5,) mean, standard deviation, sum of magnitudes, least, greatest.
            spread: standard deviation that the tolerance is a share of.
            floor: how far two runs of the reference were apart.
        """
        values = as_array(actual)
        difference = np.abs(statistics(values) - golden)
        difference[2] /= values.size
        allowed = max(FLOORS * floor, DEVIATIONS * spread, ROUNDING * float(np.abs(golden[3:]).max()))
        greatest = float(difference.max())
        return Row(self.case, stage, greatest, float(difference.mean()), allowed, 0, greatest <= allowed)

    def kept(
        self, golden: Golden, stage: str, actual: Tensor | Array, *, floor: float = 0.0, ties: int = 0
    ) -> Iterator[Row]:
        """Yield a row for continuous values whose stage is the golden's array of that name, if it has one.

        Args:
            golden: the case.
            stage: name of the array.
            actual: ours.
            floor: how far two runs of the reference were apart.
            ties: decisions before this stage that were taken the reference's way.
        """
        if stage in golden.arrays:
            yield self.close(stage, actual, golden.arrays[stage], floor=floor, ties=ties)

    def equal(self, stage: str, differences: int, ties: int = 0) -> Row:
        """Judge discrete values.

        Args:
            stage: what they are.
            differences: how many differ, ties apart.
            ties: how many differ where the reference's own margin is below the tolerance.
        """
        return Row(self.case, stage, float(differences), float(differences), 0.0, ties, differences == 0)


def as_array(values: Tensor | Array) -> Array:
    """Return values as float64."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return values.astype(np.float64)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text."""
    lines = [
        [
            row.case,
            row.stage,
            _digits(row.maximum),
            _digits(row.mean),
            _digits(row.tolerance),
            row.ties or "",
            verdict(row),
        ]
        for row in rows
    ]
    headers = ["case", "stage", "max difference", "mean", "tolerance", "ties", "verdict"]
    return tabulate(lines, headers=headers, disable_numparse=True, colalign=("left", "left", *["right"] * 4, "left"))


def verdict(row: Row) -> str:
    """Return one word."""
    if not row.passed:
        return "DIFFERS"
    return "equal" if row.maximum == 0 else "agrees"


def first_difference(rows: Sequence[Row]) -> Row | None:
    """Return the first stage that does not agree: what comes after it follows from it."""
    return next((row for row in rows if not row.passed), None)


def _digits(value: float) -> str:
    if value == 0 or math.isnan(value):
        return "0" if value == 0 else "NaN"
    return f"{value:.1e}"
