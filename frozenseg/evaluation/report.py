"""Results for people (a table) and for programs (JSON)."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tabulate import tabulate

from frozenseg.atomic import write_json
from frozenseg.evaluation.published import Published

TITLES = {"panoptic_seg": "Panoptic", "sem_seg": "Semantic", "segm": "Instances", "recall_seg": "Regions"}
EMPTY = "–"
BenchmarkResults = Mapping[str, Mapping[str, Mapping[str, float]]]


def results_table(results: BenchmarkResults, published: Sequence[Published] = ()) -> str:
    """Lay out results as text: one block a task, one line a benchmark, in percent.

    Args:
        results: ``{benchmark: {task: {metric: percent}}}``; a dash stands for NaN and for metrics that a benchmark
            does not have.
        published: results of others; those of the same benchmark and task follow its line, a line each.
    """
    tasks = list(dict.fromkeys(task for of_benchmark in results.values() for task in of_benchmark))
    return "\n\n".join(_task_table(task, results, published) for task in tasks)


def write_results(
    path: str | Path, results: BenchmarkResults, per_class: Mapping[str, Mapping[str, Any]] | None = None
) -> None:
    """Write ``results.json``, whole or not at all.

    Args:
        path: the file; its folder is made.
        results: ``{benchmark: {task: {metric: percent}}}``; NaN becomes null.
        per_class: ``{benchmark: {metric: {class name: percent}}}``, the evaluators' ``per_class``; it is written into
            each benchmark under that name.
    """
    content: dict[str, dict[str, Any]] = {benchmark: dict(tasks) for benchmark, tasks in results.items()}
    for benchmark, values in (per_class or {}).items():
        content.setdefault(benchmark, {})["per_class"] = values
    write_json(path, _without_nan(content), indent=2)


def _task_table(task: str, results: BenchmarkResults, published: Sequence[Published]) -> str:
    rows: list[tuple[str, Mapping[str, float]]] = []
    for benchmark, tasks in results.items():
        if task in tasks:
            rows.append((benchmark, tasks[task]))
            rows += _rows_of_others([row for row in published if (row.benchmark, row.task) == (benchmark, task)])
    metrics = list(dict.fromkeys(metric for _, values in rows for metric in values))
    lines = [[name, *(_number(values.get(metric)) for metric in metrics)] for name, values in rows]
    headers = [TITLES.get(task, task), *metrics]
    align = ("left", *["right"] * len(metrics))
    return tabulate(lines, headers, tablefmt="simple", disable_numparse=True, colalign=align)


def _rows_of_others(published: Sequence[Published]) -> list[tuple[str, Mapping[str, float]]]:
    rows: dict[str, dict[str, float]] = {}
    for row in published:
        rows.setdefault(f"· {row.model}, published ({row.source})", {})[row.metric] = row.value
    return list(rows.items())


def _number(value: float | None) -> str:
    return EMPTY if value is None or math.isnan(value) else f"{value:.1f}"


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
