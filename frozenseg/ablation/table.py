"""What a grid has found: a row a question, mean ± deviation over seeds, and the raw numbers."""

import csv
import json
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tabulate import tabulate

from frozenseg.ablation.grid import Question
from frozenseg.ablation.run import evaluation_jobs, training_job
from frozenseg.atomic import replacing

Numbers = dict[str, float]


class Column(NamedTuple):
    """A number of the table, and where it stands in an evaluation's results."""

    title: str
    benchmark: str
    task: str
    metric: str
    shuffled: bool = False  # of the control


SEEN, UNSEEN = "toyworld_val_seen", "toyworld_val_unseen"
COLUMNS = (
    Column("seen PQ", SEEN, "panoptic_seg", "PQ"),
    Column("seen mIoU", SEEN, "sem_seg", "mIoU"),
    Column("seen AP", SEEN, "segm", "AP"),
    Column("unseen PQ", UNSEEN, "panoptic_seg", "U_PQ"),
    Column("combination PQ", UNSEEN, "panoptic_seg", "combination_PQ"),
    Column("word PQ", UNSEEN, "panoptic_seg", "word_PQ"),
    Column("material PQ", UNSEEN, "panoptic_seg", "material_PQ"),
    Column("unseen mIoU", UNSEEN, "sem_seg", "U_mIoU"),
    Column("unseen AP", UNSEEN, "segm", "U_AP"),
    Column("unseen recall", UNSEEN, "recall_seg", "U_Recall@IoU=0.50"),
    Column("seen PQ, shuffled", SEEN, "panoptic_seg", "PQ", shuffled=True),
    Column("unseen PQ, shuffled", UNSEEN, "panoptic_seg", "U_PQ", shuffled=True),
)
COST = ("training, minutes", "trained parameters")


class Row(NamedTuple):
    """A question's numbers, by seed and column title."""

    question: Question
    by_seed: dict[int, Numbers]


def read_rows(questions: Sequence[Question], seeds: Sequence[int], folder: Path) -> list[Row]:
    """Read the results of a grid that has run."""
    return [Row(question, {seed: _numbers(question, seed, folder) for seed in seeds}) for question in questions]


def markdown_table(rows: Sequence[Row], baselines: Mapping[str, Any]) -> str:
    """Return the table.

    Args:
        rows: of the questions.
        baselines: results of controls without learning, by name.
    """
    titles = [column.title for column in COLUMNS]
    lines = [
        [row.question.name, *(_spread([numbers.get(title) for numbers in row.by_seed.values()]) for title in titles)]
        + [_spread([numbers[COST[0]] for numbers in row.by_seed.values()])]
        + [f"{row.by_seed[min(row.by_seed)][COST[1]]:,.0f}".replace(",", " ")]
        for row in rows
    ]
    for name, results in baselines.items():
        values = ["" if column.shuffled else _spread([_value(results, column)]) for column in COLUMNS]
        lines.append([f"baseline: {name}", *values, "", ""])
    return tabulate(lines, headers=["question", *titles, *COST], tablefmt="github", disable_numparse=True)


def write_raw(path: Path, rows: Sequence[Row]) -> None:
    """Write every number of every seed as CSV, whole or not at all."""
    titles = [*(column.title for column in COLUMNS), *COST]
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["question", "seed", *titles])
        for row in rows:
            for seed, numbers in row.by_seed.items():
                writer.writerow([row.question.name, seed, *(numbers.get(title, "") for title in titles)])


def _numbers(question: Question, seed: int, folder: Path) -> Numbers:
    training = training_job(question, seed, folder)
    true, control = (
        json.loads((job.folder / "inference/results.json").read_text(encoding="utf-8"))
        for job in evaluation_jobs(question, seed, folder)
    )
    values = {column.title: _value(control if column.shuffled else true, column) for column in COLUMNS}
    numbers = {title: value for title, value in values.items() if value is not None}
    return numbers | {COST[0]: (training.seconds or 0.0) / 60, COST[1]: float(_trained_parameters(training.folder))}


def _trained_parameters(folder: Path) -> int:
    from frozenseg.modeling.checkpoint_file import read_checkpoint

    return sum(value.numel() for value in read_checkpoint(folder / "model_final.pth")["model"].values())


def _value(results: Mapping[str, Any], column: Column) -> float | None:
    return results.get(column.benchmark, {}).get(column.task, {}).get(column.metric)


def _spread(values: Sequence[float | None]) -> str:
    """Return mean ± standard deviation; a dash where there is no number."""
    known = [value for value in values if value is not None]
    if not known:
        return "–"
    mean = statistics.fmean(known)
    return f"{mean:.1f} ± {statistics.stdev(known):.1f}" if len(known) > 1 else f"{mean:.1f}"
