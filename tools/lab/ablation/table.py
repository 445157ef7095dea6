"""What a grid has found: a row a question, mean ± deviation over seeds, and the raw numbers."""

import csv
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from frozenseg.atomic import replacing
from frozenseg.evaluation.report import HEADLINES
from lab.ablation.grid import Question
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
    """A number of the table, and where it stands in an evaluation's results."""

    title: str
    benchmark: str
    task: str
    metric: str
    shuffled: bool = False  # of the control


RECALL = ("recall_seg", "Recall@IoU=0.50")  # on in every evaluation of a grid
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
    """A question's numbers, by seed and column title."""

    question: Question
    by_seed: dict[int, Numbers]


class Findings(NamedTuple):
    """All that a grid has found.

    Attributes:
        columns: those of which there are numbers.
        rows: of the questions.
        baselines: results of what needs no learning, by name; none for other data sets than ToyWorld's.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    baselines: dict[str, Any]


def read_findings(questions: Sequence[Question], seeds: Sequence[int], folder: Path) -> Findings:
    """Read the results of a grid that has run."""
    asked = dict.fromkeys(benchmark for question in questions for benchmark in question.benchmarks)
    columns = columns_of(list(asked))
    rows = tuple(
        Row(question, {seed: _numbers(question, seed, folder, columns) for seed in seeds}) for question in questions
    )
    known = {title for row in rows for numbers in row.by_seed.values() for title in numbers}
    job = baselines_job(questions, folder)
    baselines = {name: _read_json(job.folder / f"{name}.json") for name in BASELINES} if job else {}
    return Findings(tuple(column for column in columns if column.title in known), rows, baselines)


def columns_of(benchmarks: Sequence[str]) -> list[Column]:
    """Return ToyWorld's own columns, then those of other benchmarks: all classes, unseen ones, and the control."""
    columns = [column for column in TOYWORLD if column.benchmark in benchmarks]
    for name in benchmarks:
        if name not in (SEEN, UNSEEN):
            for task, metric in (*HEADLINES.items(), RECALL):
                columns.append(Column(f"{name} {metric}", name, task, metric))
                columns.append(Column(f"{name} unseen {metric}", name, task, f"U_{metric}"))
                columns.append(Column(f"{name} {metric}, shuffled", name, task, metric, shuffled=True))
    return columns


def markdown_table(findings: Findings) -> str:
    """Return the table."""
    titles = [column.title for column in findings.columns]
    lines = [
        [row.question.name, *(_spread([numbers.get(title) for numbers in row.by_seed.values()]) for title in titles)]
        + [_spread([numbers[COST[0]] for numbers in row.by_seed.values()])]
        + [f"{row.by_seed[min(row.by_seed)][COST[1]]:,.0f}".replace(",", " ")]
        for row in findings.rows
    ]
    for name, results in findings.baselines.items():
        values = ["" if column.shuffled else _spread([_value(results, column)]) for column in findings.columns]
        lines.append([f"baseline: {name}", *values, "", ""])
    return tabulate(lines, headers=["question", *titles, *COST], tablefmt="github", disable_numparse=True)


def write_raw(path: Path, findings: Findings) -> None:
    """Write every number of every seed as CSV, whole or not at all."""
    titles = [*(column.title for column in findings.columns), *COST]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "seed", *titles])
        for row in findings.rows:
            for seed, numbers in row.by_seed.items():
                writer.writerow([row.question.name, seed, *(numbers.get(title, "") for title in titles)])


def _numbers(question: Question, seed: int, folder: Path, columns: Sequence[Column]) -> Numbers:
    training = training_job(question, seed, folder)
    true, control = (_read_json(job.folder / RESULTS) for job in evaluation_jobs(question, seed, folder))
    values = {column.title: _value(control if column.shuffled else true, column) for column in columns}
    numbers = {title: value for title, value in values.items() if value is not None}
    return numbers | {COST[0]: (training.seconds or 0.0) / 60, COST[1]: float(_trained_parameters(training.folder))}


def _trained_parameters(folder: Path) -> int:
    from frozenseg.modeling.checkpoint_file import read_checkpoint

    return sum(value.numel() for value in read_checkpoint(folder / WEIGHTS)["model"].values())


def _read_json(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def _value(results: Mapping[str, Any], column: Column) -> float | None:
    return results.get(column.benchmark, {}).get(column.task, {}).get(column.metric)


def _spread(values: Sequence[float | None]) -> str:
    """Return mean ± standard deviation; a dash where there is no number."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = statistics.fmean(known)
    return f"{mean:.1f} ± {statistics.stdev(known):.1f}" if len(known) > 1 else f"{mean:.1f}"
