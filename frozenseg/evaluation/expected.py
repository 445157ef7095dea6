"""Results that a config expects (``TEST.EXPECTED_RESULTS``): read before the run, compared after it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from frozenseg.errors import ConfigError, FrozenSegError, did_you_mean

FORM = "[task, metric, value, tolerance], or [benchmark, task, metric, value, tolerance]"
Results = Mapping[str, Mapping[str, Mapping[str, float]]]


class ExpectedScore(NamedTuple):
    """One number.

    Attributes:
        benchmark: its name.
        task: such as ``panoptic_seg``.
        metric: such as ``PQ``.
        value: percent.
        tolerance: the largest difference that passes, percent.
    """

    benchmark: str
    task: str
    metric: str
    value: float
    tolerance: float


def read_expected(rows: Sequence[Any], benchmarks: Sequence[str]) -> tuple[ExpectedScore, ...]:
    """Check what a config expects.

    Args:
        rows: ``[task, metric, value, tolerance]`` each, as Detectron2 has them, or with the benchmark's name before
            it; that is needed where there are several.
        benchmarks: the names of those that will be run.

    Raises:
        ConfigError: a row has another form, or is about none of these benchmarks.
    """
    return tuple(_read(row, benchmarks) for row in rows)


def check_results(expected: Sequence[ExpectedScore], results: Results) -> None:
    """Compare results with what is expected.

    Args:
        expected: from :func:`read_expected`.
        results: ``{benchmark: {task: {metric: percent}}}``.

    Raises:
        FrozenSegError: one or more are off by more than their tolerance, or do not exist; names them all.
    """
    off = [text for row in expected if (text := _difference(row, results))]
    if off:
        raise FrozenSegError(
            f"{len(off)} of {len(expected)} results are not those of TEST.EXPECTED_RESULTS: {'; '.join(off)}."
        )


def _read(row: Any, benchmarks: Sequence[str]) -> ExpectedScore:
    fields = list(row) if isinstance(row, (list, tuple)) else []
    if len(fields) == 4 and len(benchmarks) == 1:
        fields = [benchmarks[0], *fields]
    if len(fields) == 4:
        raise ConfigError(
            f"TEST.EXPECTED_RESULTS has the row {row!r}, but {len(benchmarks)} benchmarks are run: say which one is "
            "meant, [benchmark, task, metric, value, tolerance]."
        )
    if len(fields) != 5 or not all(isinstance(name, str) for name in fields[:3]) or not all(map(_number, fields[3:])):
        raise ConfigError(f"TEST.EXPECTED_RESULTS has the row {row!r}: expected {FORM}, the last two finite numbers.")
    if fields[4] < 0:
        raise ConfigError(f"TEST.EXPECTED_RESULTS has the row {row!r}: its tolerance must not be below 0.")
    if fields[0] not in benchmarks:
        raise ConfigError(
            f"TEST.EXPECTED_RESULTS has the row {row!r}, but {fields[0]!r} is not run."
            f"{did_you_mean(fields[0], benchmarks)} Run are: {', '.join(benchmarks)}."
        )
    benchmark, task, metric, value, tolerance = fields
    return ExpectedScore(benchmark, task, metric, float(value), float(tolerance))


def _number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _difference(row: ExpectedScore, results: Results) -> str:
    """Say what is wrong with one number; empty where nothing is."""
    name = f"{row.benchmark}/{row.task}/{row.metric}"
    tasks = results.get(row.benchmark, {})
    if row.task not in tasks:
        return f"{name}: there is no task {row.task!r}, only {', '.join(tasks)}"
    metrics = tasks[row.task]
    if row.metric not in metrics:
        return f"{name}: there is no such metric, only {', '.join(metrics)}"
    got = metrics[row.metric]
    if abs(got - row.value) <= row.tolerance:  # never so for NaN
        return ""
    return f"{name}: expected {row.value:g} ± {row.tolerance:g}, got {got:.4f}"
