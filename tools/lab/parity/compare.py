"""Comparison of arrays with golden ones: differences, tolerances, and the table of all stages."""

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
FLOORS = 4.0  # tolerance in multiples of the noise floor
DEVIATIONS = 1e-4  # tolerance as a share of the standard deviation of the array
SUSPICIOUS = DEVIATIONS / 2  # share of the standard deviation from which on ties are looked for
UNITS = 32  # tolerance in units in the last place of the largest value, for scalars and almost constant arrays
ROUNDING = UNITS * float(np.finfo(np.float32).eps)  # the same as a share of the largest value, 3.8e-6


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        case: name of the golden.
        stage: name of the compared array.
        maximum: largest difference.
        mean: mean difference.
        tolerance: largest permitted difference.
        ties: number of ties that our model decided differently.
        passed: True if the stage agrees.
    """

    case: str
    stage: str
    maximum: float
    mean: float
    tolerance: float
    ties: int = 0
    passed: bool = True


def tolerance(golden: Array, floor: float) -> float:
    """Return the largest permitted difference to a golden array.

    Args:
        golden: array of the reference.
        floor: noise floor.
    """
    if golden.size == 0:
        return 0.0
    golden = golden.astype(np.float64)
    return max(FLOORS * floor, DEVIATIONS * float(golden.std()), ROUNDING * float(np.abs(golden).max()))


def sum_tolerance(golden: Array, floor: float, term: float) -> float:
    """Return the largest permitted difference to a golden sum over queries of class probability · mask probability.

    The rounding of the text embeddings is the same for all queries, so that the errors of the terms add up instead of
    cancelling out: an error ``term`` of the log-probability of a class in every query multiplies the class's sum by
    ``exp(term)``.

    Args:
        golden: sums of the reference.
        floor: noise floor. The noise runs of the reference share its text embeddings, so it lacks their rounding.
        term: largest permitted difference of a log-probability.
    """
    largest = float(np.abs(golden).max(initial=0.0))
    return max(tolerance(golden, floor), math.expm1(term) * largest)


@dataclass(frozen=True)
class Comparer:
    """Compares the stages of one case.

    Attributes:
        case: name of the golden.
    """

    case: str

    def close(
        self, stage: str, actual: Tensor | Array, golden: Array, *, floor: float = 0.0, step: int = 1, ties: int = 0
    ) -> Row:
        """Compare continuous values.

        Args:
            stage: name of the array.
            actual: our array, any shape.
            golden: every ``step``-th element of the flattened array of the reference.
            floor: noise floor.
            step: see ``golden``.
            ties: flipped pixels before this stage.
        """
        return self.within(stage, actual, golden, tolerance(golden, floor), step=step, ties=ties)

    def within(
        self, stage: str, actual: Tensor | Array, golden: Array, allowed: float, *, step: int = 1, ties: int = 0
    ) -> Row:
        """Compare continuous values like :meth:`close`, with a given tolerance.

        Raises:
            ShapeError: The number of values differs.
        """
        values = as_array(actual).reshape(-1)[::step]
        expected = golden.astype(np.float64).reshape(-1)
        if values.shape != expected.shape:
            raise ShapeError(
                f"{self.case}, {stage}: there are {values.size} values, but {expected.size} in the golden."
            )
        difference = np.abs(values - expected) if values.size else np.zeros(1)
        largest = float(difference.max())  # NaN fails
        return Row(self.case, stage, largest, float(difference.mean()), allowed, ties, largest <= allowed)

    def whole(self, stage: str, actual: Tensor | Array, golden: Array, *, spread: float, floor: float = 0.0) -> Row:
        """Compare the statistics of a whole array of which the golden has only some elements.

        Args:
            stage: name of the array.
            actual: our array.
            golden: (5,) mean, standard deviation, sum of magnitudes, minimum, maximum.
            spread: standard deviation for the tolerance.
            floor: noise floor.
        """
        values = as_array(actual)
        difference = np.abs(statistics(values) - golden)
        difference[2] /= values.size
        allowed = max(FLOORS * floor, DEVIATIONS * spread, ROUNDING * float(np.abs(golden[3:]).max()))
        largest = float(difference.max())
        return Row(self.case, stage, largest, float(difference.mean()), allowed, 0, largest <= allowed)

    def kept(
        self, golden: Golden, stage: str, actual: Tensor | Array, *, floor: float = 0.0, ties: int = 0
    ) -> Iterator[Row]:
        """Yield a row for the golden's array with the name of the stage, if there is one.

        Args:
            golden: the case.
            stage: name of the array.
            actual: our array.
            floor: noise floor.
            ties: flipped pixels before this stage.
        """
        if stage in golden.arrays:
            yield self.close(stage, actual, golden.arrays[stage], floor=floor, ties=ties)

    def equal(self, stage: str, differences: int, ties: int = 0) -> Row:
        """Return the row of discrete values.

        Args:
            stage: name of the values.
            differences: number of different values without ties.
            ties: number of different values that are ties.
        """
        return Row(self.case, stage, float(differences), float(differences), 0.0, ties, differences == 0)


def as_array(values: Tensor | Array) -> Array:
    """Return values as float64."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().double().numpy()
    return values.astype(np.float64)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a text table."""
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


def error_table(rows: Sequence[Row]) -> str:
    """Return the errors of rows, absolute and relative to their tolerance, as a text table."""
    lines = [
        [row.case, row.stage, _digits(row.maximum), _digits(row.mean), _digits(relative_error(row))] for row in rows
    ]
    headers = ["case", "stage", "max error", "mean error", "max / deviation"]
    return tabulate(lines, headers=headers, disable_numparse=True, colalign=("left", "left", *["right"] * 3))


def relative_error(row: Row) -> float:
    """Return the largest difference as a share of the tolerance; 0 for equal values."""
    return row.maximum / row.tolerance if row.maximum and row.tolerance else row.maximum


def verdict(row: Row) -> str:
    """Return ``equal``, ``agrees`` or ``DIFFERS``."""
    if not row.passed:
        return "DIFFERS"
    return "equal" if row.maximum == 0 else "agrees"


def first_difference(rows: Sequence[Row]) -> Row | None:
    """Return the first stage that differs; later differences may follow from it."""
    return next((row for row in rows if not row.passed), None)


def _digits(value: float) -> str:
    if value == 0 or math.isnan(value):
        return "0" if value == 0 else "NaN"
    return f"{value:.1e}"
