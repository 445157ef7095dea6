"""Expected scores of a config (``TEST.EXPECTED_RESULTS``): checked before the run, compared after it."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from frozenseg.errors import ConfigError, FrozenSegError, did_you_mean
from frozenseg.evaluation.types import BenchmarkResults

FORM = "[task, metric, value, tolerance], or [benchmark, task, metric, value, tolerance]"


class ExpectedScore(NamedTuple):
    """One expected score.

    Attributes:
        benchmark: name of the benchmark.
        task: such as ``panoptic_seg``.
        metric: such as ``PQ``.
        value: percent.
        tolerance: largest accepted difference, percent.
    """

    benchmark: str
    task: str
    metric: str
    value: float
    tolerance: float


def read_expected(rows: Sequence[object], benchmarks: Sequence[str]) -> tuple[ExpectedScore, ...]:
    """Parse the expected scores of a config.

    Args:
        rows: each ``[task, metric, value, tolerance]`` as in Detectron2, or ``[benchmark, task, …]``, which is required
            if there are several benchmarks.
        benchmarks: names of the benchmarks of the run.

    Raises:
        ConfigError: a row has another form, or names another benchmark.
    """
    return tuple(_read(row, benchmarks) for row in rows)


def check_results(expected: Sequence[ExpectedScore], results: BenchmarkResults) -> None:
    """Compare results with the expected scores.

    Args:
        expected: from :func:`read_expected`.
        results: ``{benchmark: {task: {metric: percent}}}``.

    Raises:
        FrozenSegError: scores differ by more than their tolerance, or are missing; all are named.
    """
    off = [text for row in expected if (text := _difference(row, results))]
    if off:
        raise FrozenSegError(
            f"{len(off)} of {len(expected)} results differ from TEST.EXPECTED_RESULTS: {'; '.join(off)}."
        )


def _read(row: object, benchmarks: Sequence[str]) -> ExpectedScore:
    fields = list(row) if isinstance(row, (list, tuple)) else []
    if len(fields) == 4 and len(benchmarks) == 1:
        fields = [benchmarks[0], *fields]
    if len(fields) == 4:
        raise ConfigError(
            f"TEST.EXPECTED_RESULTS has the row {row!r}, but {len(benchmarks)} benchmarks are run: name one, "
            "[benchmark, task, metric, value, tolerance]."
        )
    if (
        len(fields) != 5
        or not all(isinstance(name, str) for name in fields[:3])
        or not all(map(_is_number, fields[3:]))
    ):
        raise ConfigError(f"TEST.EXPECTED_RESULTS has the row {row!r}: expected {FORM}, the last two finite numbers.")
    if fields[4] < 0:
        raise ConfigError(f"TEST.EXPECTED_RESULTS has the row {row!r}: its tolerance must not be below 0.")
    if fields[0] not in benchmarks:
        raise ConfigError(
            f"TEST.EXPECTED_RESULTS has the row {row!r}, but {fields[0]!r} is not run."
            f"{did_you_mean(fields[0], benchmarks)} Benchmarks of this run: {', '.join(benchmarks)}."
        )
    benchmark, task, metric, value, tolerance = fields
    return ExpectedScore(benchmark, task, metric, float(value), float(tolerance))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _difference(row: ExpectedScore, results: BenchmarkResults) -> str:
    """Describe how a score differs from the expected one; empty if it does not."""
    name = f"{row.benchmark}/{row.task}/{row.metric}"
    tasks = results.get(row.benchmark, {})
    if row.task not in tasks:
        return f"{name}: there is no task {row.task!r}, only {', '.join(tasks)}"
    metrics = tasks[row.task]
    if row.metric not in metrics:
        return f"{name}: there is no such metric, only {', '.join(metrics)}"
    actual = metrics[row.metric]
    if abs(actual - row.value) <= row.tolerance:  # False for NaN
        return ""
    return f"{name}: expected {row.value:g} ± {row.tolerance:g}, got {actual:.4f}"
