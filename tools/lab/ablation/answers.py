"""Answers to the questions of a study: effects from the counts of all seeds and scenes, as table and CSV."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from tabulate import tabulate

from frozenseg.atomic import replacing
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.image_counts import SavedCounts, read_image_counts
from lab.ablation.effects import Effect, PairedCounts, measure_effect, quality
from lab.ablation.questions import Question, Rule
from lab.ablation.study import Cell, Study

COLUMNS = ("question", "arm", "partner", "metric", "arm, PQ", "partner, PQ", "difference", "effect size",
    "smallest visible", "claim")  # fmt: skip


class Answer(NamedTuple):
    """Answer to a question."""

    question: Question
    seeds: tuple[int, ...]
    scenes: int
    effect: Effect
    verdict: str


class CurveValue(NamedTuple):
    """Value of a learning curve."""

    arm: str
    seed: int
    steps: int
    percent: float


def answer(study: Study, question: Question) -> Answer | None:
    """Return the answer to a question, or None if not all of its evaluations are completed.

    Args:
        study: its jobs.
        question: one of its questions.

    Raises:
        DataError: the scenes of two evaluations differ, or have no class of the metric.
    """
    pairs = study.cells(question)
    if any(cell.evaluation.seconds is None for pair in pairs for cell in pair):
        return None
    counts = read_pairs(pairs, question.metric)
    rule: Rule = study.questions.rule
    effect = measure_effect(counts, rule)
    verdict = effect.verdict(question.expected, rule.smallest)
    return Answer(question, study.questions.seeds, counts.arm.shape[2], effect, verdict)


def curve_values(study: Study) -> list[CurveValue]:
    """Return the values of the learning curves that are completed.

    Args:
        study: its jobs.
    """
    curves = study.questions.curves
    values = []
    for steps, cell in study.curve_points():
        if curves is not None and cell.evaluation.seconds is not None:
            counts = _counts_of_metric(read_image_counts(cell.counts_file), curves.metric)  # (4, N, C)
            values.append(CurveValue(cell.ablation.name, cell.seed, steps, float(quality(counts.sum(axis=1)))))
    return values


def read_pairs(pairs: Sequence[tuple[Cell, Cell]], metric: str) -> PairedCounts:
    """Read the counts of both arms for the classes of a metric.

    Args:
        pairs: arm and partner of each seed.
        metric: ``PQ``, or that of a subset of the classes, such as ``U_PQ``.

    Raises:
        DataError: the scenes of two evaluations differ, or have no class of the metric.
    """
    first: SavedCounts | None = None
    arms: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for pair in pairs:
        for counts_of_arm, cell in zip(arms, pair, strict=True):
            saved = read_image_counts(cell.counts_file)
            first = first or saved
            if saved.images != first.images:
                raise DataError(
                    f"{cell.counts_file} has other scenes than {pairs[0][0].counts_file}: delete both folders, and run "
                    "the same command again."
                )
            counts = _counts_of_metric(saved, metric)  # (4, N, C)
            if not counts.any():
                raise DataError(f"{cell.counts_file} has no class of {metric}: choose another metric or benchmark.")
            counts_of_arm.append(counts)
    return PairedCounts(*(np.stack(counts_of_arm, axis=1) for counts_of_arm in arms))  # (4, S, N, C)


def _counts_of_metric(saved: SavedCounts, metric: str) -> np.ndarray:
    """Return the counts (4, N, C) of the classes of a metric."""
    return np.stack(saved.counts)[..., members_of(saved.table, metric)]


def members_of(table: ClassTable, metric: str) -> np.ndarray:
    """Return the classes that a metric is a mean over, (C,) bool.

    Args:
        table: the scored classes.
        metric: name of the metric.
    """
    kinds = {"PQ": np.ones(len(table), dtype=bool), "PQ_th": table.isthing, "PQ_st": ~table.isthing}
    return kinds[metric] if metric in kinds else table.subsets[metric.removesuffix("_PQ")]


def answers_table(answers: Sequence[Answer], rule: Rule) -> str:
    """Return the answers as a Markdown table.

    Args:
        answers: in the order of the questions.
        rule: of the intervals.
    """
    percent = f"{100 * rule.level:g} %"
    lines = [
        [
            answer.question.name, f"`{answer.question.arm}`", f"`{answer.question.partner}`",
            f"{answer.question.metric} on {answer.question.benchmark}",
            f"{answer.effect.of_arm.mean():.1f}", f"{answer.effect.of_partner.mean():.1f}",
            interval(answer.effect.difference, answer.effect.low, answer.effect.high),
            interval(answer.effect.size, answer.effect.size_low, answer.effect.size_high),
            f"{answer.effect.smallest_visible:.1f}", answer.verdict,
        ]
        for answer in answers
    ]  # fmt: skip
    headers = [f"{name} [{percent}]" if name in ("difference", "effect size") else name for name in COLUMNS]
    return tabulate(lines, headers=headers, tablefmt="github", disable_numparse=True)


def interval(value: float, low: float, high: float) -> str:
    """Return a value and its interval, with signs.

    Args:
        value: the estimate.
        low: end of the interval.
        high: end of the interval.
    """
    return f"{value:+.1f} [{low:+.1f}, {high:+.1f}]"


def write_answers(path: Path, answers: Sequence[Answer]) -> None:
    """Write all numbers to a CSV file: one line per question, with the metric of every seed.

    Args:
        path: target file.
        answers: in the order of the questions.
    """
    rows = [_csv_row(answer) for answer in answers]
    fields = list(dict.fromkeys(name for row in rows for name in row))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fields, restval="")
        writer.writeheader()
        writer.writerows(rows)


def _csv_row(answer: Answer) -> Mapping[str, object]:
    question, effect = answer.question, answer.effect
    row: dict[str, object] = {
        "question": question.name, "arm": question.arm, "partner": question.partner,
        "benchmark": question.benchmark, "metric": question.metric, "expected": question.expected,
        "scenes": answer.scenes, "difference": effect.difference, "low": effect.low, "high": effect.high,
        "standard error": effect.error, "degrees of freedom": effect.freedom, "effect size": effect.size,
        "effect size, low": effect.size_low, "effect size, high": effect.size_high,
        "smallest visible": effect.smallest_visible, "claim": answer.verdict,
    }  # fmt: skip
    for seed, arm, partner in zip(answer.seeds, effect.of_arm, effect.of_partner, strict=True):
        row |= {f"arm, seed {seed}": float(arm), f"partner, seed {seed}": float(partner)}
    return row


def write_curves(path: Path, values: Sequence[CurveValue]) -> None:
    """Write the learning curves to a CSV file.

    Args:
        path: target file.
        values: of the curves.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(CurveValue._fields)
        writer.writerows(values)
