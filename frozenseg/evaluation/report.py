"""Result tables as text, JSON and CSV."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path

from tabulate import tabulate

from frozenseg.atomic import write_json, write_text
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.published import PublishedScore
from frozenseg.evaluation.types import BenchmarkResults

TITLES = {
    "panoptic_seg": "Panoptic",
    "sem_seg": "Semantic",
    "segm": "Instances",
    "recall_seg": "Regions",
    "recall_seg_with_sam_masks": "Regions, with SAM's masks",
}
HEADLINES = {"panoptic_seg": "PQ", "sem_seg": "mIoU", "segm": "AP"}
RECALLS = (*(f"Recall@IoU=0.{share}" for share in (50, 75, 90)), "S_Recall@IoU=0.50", "U_Recall@IoU=0.50")
# metrics in the tables; results.json has all
TASK_COLUMNS = {
    "panoptic_seg": ("PQ", "SQ", "RQ", "PQ_th", "PQ_st", "S_PQ", "U_PQ"),
    "sem_seg": ("mIoU", "fwIoU", "mACC", "pACC", "S_mIoU", "U_mIoU", "IoU", "iIoU", "IoU_sup", "iIoU_sup"),
    "segm": ("AP", "AP50", "AP75", "APs", "APm", "APl", "APr", "APc", "APf", "AR@100", "S_AP", "U_AP"),
    "recall_seg": RECALLS,
    "recall_seg_with_sam_masks": RECALLS,
}
NO_SCORE = "–"


def results_table(results: BenchmarkResults, published: Sequence[PublishedScore] = ()) -> str:
    """Format the main results as text tables in percent: an overview of several benchmarks, then one table per task.

    Args:
        results: ``{benchmark: {task: {metric: percent}}}``; NaN and missing metrics are printed as a dash.
        published: published scores; those of a benchmark and task are printed below its line, one line per model.
    """
    tasks = list(dict.fromkeys(task for of_benchmark in results.values() for task in of_benchmark))
    blocks = [_overview(results, tasks)] if len(results) > 1 else []
    return "\n\n".join([*blocks, *(_task_table(task, results, published) for task in tasks)])


def main_columns(task: str, metrics: Sequence[str]) -> list[str]:
    """Select the metrics of a task for a table: the main ones, and the headline metric of all groups of classes."""
    if task not in TASK_COLUMNS:
        return list(metrics)
    main = [metric for metric in TASK_COLUMNS[task] if metric in metrics]
    if task not in HEADLINES:
        return main
    return main + [name for name in metrics if name.endswith(f"_{HEADLINES[task]}") and name not in main]


def write_results(
    path: str | Path,
    results: BenchmarkResults,
    per_class: BenchmarkResults | None = None,
    about: Mapping[str, Mapping[str, object]] | None = None,
) -> None:
    """Write ``results.json`` atomically.

    Args:
        path: the file; its folder is created.
        results: ``{benchmark: {task: {metric: percent}}}``; NaN becomes null.
        per_class: ``{benchmark: {metric: {class name: percent}}}``, the evaluators' ``per_class``; written into each
            benchmark under that name.
        about: description of the run by benchmark; likewise.
    """
    content: dict[str, dict[str, object]] = {benchmark: dict(tasks) for benchmark, tasks in results.items()}
    for name, values in (("per_class", per_class), ("about", about)):
        for benchmark, value in (values or {}).items():
            content.setdefault(benchmark, {})[name] = value
    write_json(path, _without_nan(content), indent=2)


def write_per_class(path: str | Path, classes: ClassTable, per_class: Mapping[str, Mapping[str, float]]) -> None:
    """Write a table of all classes as CSV, atomically.

    Args:
        path: the file; its folder is created.
        classes: one line per class.
        per_class: ``{metric: {class name: percent}}``, one column per metric; empty if a class has no value.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", "kind", "seen", *per_class])
    for index, name in enumerate(classes.names):
        kind, seen = "thing" if classes.isthing[index] else "stuff", "yes" if classes.subsets["S"][index] else "no"
        values = [of_class.get(name) for of_class in per_class.values()]
        writer.writerow(
            [name, kind, seen, *("" if value is None or math.isnan(value) else repr(value) for value in values)]
        )
    write_text(path, text.getvalue())


def _overview(results: BenchmarkResults, tasks: Sequence[str]) -> str:
    shown = [task for task in HEADLINES if task in tasks]
    lines = [
        [name, *(format_score(of_benchmark.get(task, {}).get(HEADLINES[task])) for task in shown)]
        for name, of_benchmark in results.items()
    ]
    return _table(["Benchmark", *(HEADLINES[task] for task in shown)], lines)


def _task_table(task: str, results: BenchmarkResults, published: Sequence[PublishedScore]) -> str:
    rows: list[tuple[str, Mapping[str, float]]] = []
    for benchmark, tasks in results.items():
        if task in tasks:
            rows.append((benchmark, tasks[task]))
            rows += _published_rows([row for row in published if (row.benchmark, row.task) == (benchmark, task)])
    metrics = main_columns(task, list(dict.fromkeys(metric for _, values in rows for metric in values)))
    lines = [[name, *(format_score(values.get(metric)) for metric in metrics)] for name, values in rows]
    return _table([TITLES.get(task, task), *metrics], lines)


def _table(headers: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    align = ("left", *["right"] * (len(headers) - 1))
    table: str = tabulate(lines, headers, tablefmt="simple", disable_numparse=True, colalign=align)
    return table


def _published_rows(published: Sequence[PublishedScore]) -> list[tuple[str, Mapping[str, float]]]:
    rows: dict[str, dict[str, float]] = {}
    for row in published:
        rows.setdefault(f"· {row.model}, published ({row.source})", {})[row.metric] = row.value
    return list(rows.items())


def format_score(value: float | None) -> str:
    """Format a score; a dash for None and NaN."""
    return NO_SCORE if value is None or math.isnan(value) else f"{value:.1f}"


def _without_nan(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
