"""Results of an ablation study: a table of mean ± standard deviation over seeds, and all numbers as CSV."""

import csv
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from frozenseg.atomic import replacing
from frozenseg.evaluation.report import HEADLINES
from lab.ablation.grid import Ablation
from lab.ablation.run import (
    BASELINES,
    RESULTS,
    SEEN,
    UNSEEN,
    WEIGHTS,
    baselines_job,
    evaluation_jobs,
    training_job,
)

Numbers = dict[str, float]


class Column(NamedTuple):
    """A column of the table and its keys in ``results.json``."""

    title: str
    benchmark: str
    task: str
    metric: str
    shuffled: bool = False  # True: from the control with shuffled class names


RECALL = ("recall_seg", "Recall@IoU=0.50")  # computed in every evaluation of a study
TOYWORLD = (
    Column("seen PQ", SEEN, "panoptic_seg", "PQ"),
    Column("seen mIoU", SEEN, "sem_seg", "mIoU"),
    Column("seen AP", SEEN, "segm", "AP"),
    Column("unseen PQ", UNSEEN, "panoptic_seg", "U_PQ"),
    Column("combination PQ", UNSEEN, "panoptic_seg", "combination_PQ"),
    Column("word PQ", UNSEEN, "panoptic_seg", "word_PQ"),
    Column("material PQ", UNSEEN, "panoptic_seg", "material_PQ"),
    Column("unseen mIoU", UNSEEN, "sem_seg", "U_mIoU"),
    Column("unseen AP", UNSEEN, "segm", "U_AP"),
    Column("unseen recall", UNSEEN, RECALL[0], f"U_{RECALL[1]}"),
    Column("seen PQ, shuffled", SEEN, "panoptic_seg", "PQ", shuffled=True),
    Column("unseen PQ, shuffled", UNSEEN, "panoptic_seg", "U_PQ", shuffled=True),
)
COST = ("training, minutes", "trained parameters")


class Row(NamedTuple):
    """The numbers of an ablation, by seed and column title."""

    ablation: Ablation
    by_seed: dict[int, Numbers]


class StudyResults(NamedTuple):
    """All results of a study.

    Attributes:
        columns: the columns with at least one number.
        rows: one per ablation.
        baselines: results of the baselines by name; empty for other data sets than ToyWorld.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    baselines: dict[str, Any]


def read_results(ablations: Sequence[Ablation], seeds: Sequence[int], folder: Path) -> StudyResults:
    """Read the results of a completed study.

    Args:
        ablations: its configs.
        seeds: of the trainings.
        folder: with all results.
    """
    benchmarks = dict.fromkeys(benchmark for ablation in ablations for benchmark in ablation.benchmarks)
    columns = columns_of(list(benchmarks))
    rows = tuple(
        Row(ablation, {seed: _numbers(ablation, seed, folder, columns) for seed in seeds}) for ablation in ablations
    )
    with_numbers = {title for row in rows for numbers in row.by_seed.values() for title in numbers}
    job = baselines_job(ablations, folder)
    baselines = {name: _read_json(job.folder / f"{name}.json") for name in BASELINES} if job else {}
    return StudyResults(tuple(column for column in columns if column.title in with_numbers), rows, baselines)


def columns_of(benchmarks: Sequence[str]) -> list[Column]:
    """Return the columns of ToyWorld, then those of other benchmarks: all classes, unseen ones, and the control."""
    columns = [column for column in TOYWORLD if column.benchmark in benchmarks]
    for name in benchmarks:
        if name not in (SEEN, UNSEEN):
            for task, metric in (*HEADLINES.items(), RECALL):
                columns.append(Column(f"{name} {metric}", name, task, metric))
                columns.append(Column(f"{name} unseen {metric}", name, task, f"U_{metric}"))
                columns.append(Column(f"{name} {metric}, shuffled", name, task, metric, shuffled=True))
    return columns


def markdown_table(results: StudyResults) -> str:
    """Return the results as a Markdown table."""
    titles = [column.title for column in results.columns]
    lines = [
        [row.ablation.name, *(_spread([numbers.get(title) for numbers in row.by_seed.values()]) for title in titles)]
        + [_spread([numbers[COST[0]] for numbers in row.by_seed.values()])]
        + [f"{row.by_seed[min(row.by_seed)][COST[1]]:,.0f}".replace(",", " ")]
        for row in results.rows
    ]
    for name, scores in results.baselines.items():
        values = ["" if column.shuffled else _spread([_value(scores, column)]) for column in results.columns]
        lines.append([f"baseline: {name}", *values, "", ""])
    return tabulate(lines, headers=["ablation", *titles, *COST], tablefmt="github", disable_numparse=True)


def write_csv(path: Path, results: StudyResults) -> None:
    """Write all numbers of every seed to a CSV file, atomically."""
    titles = [*(column.title for column in results.columns), *COST]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["ablation", "seed", *titles])
        for row in results.rows:
            for seed, numbers in row.by_seed.items():
                writer.writerow([row.ablation.name, seed, *(numbers.get(title, "") for title in titles)])


def _numbers(ablation: Ablation, seed: int, folder: Path, columns: Sequence[Column]) -> Numbers:
    training = training_job(ablation, seed, folder)
    true, control = (_read_json(job.folder / RESULTS) for job in evaluation_jobs(ablation, seed, folder))
    values = {column.title: _value(control if column.shuffled else true, column) for column in columns}
    numbers = {title: value for title, value in values.items() if value is not None}
    return numbers | {COST[0]: (training.seconds or 0.0) / 60, COST[1]: float(_trained_parameters(training.folder))}


def _trained_parameters(folder: Path) -> int:
    from frozenseg.modeling.checkpoint_file import read_checkpoint

    return sum(value.numel() for value in read_checkpoint(folder / WEIGHTS)["model"].values())


def _read_json(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _value(results: Mapping[str, Any], column: Column) -> float | None:
    value: float | None = results.get(column.benchmark, {}).get(column.task, {}).get(column.metric)
    return value


def _spread(values: Sequence[float | None]) -> str:
    """Return mean ± standard deviation, or a dash without numbers."""
    present = [value for value in values if value is not None]
    if not present:
        return "–"
    mean = statistics.fmean(present)
    return f"{mean:.1f} ± {statistics.stdev(present):.1f}" if len(present) > 1 else f"{mean:.1f}"
