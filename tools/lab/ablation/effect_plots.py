"""Plots of a study of questions: forest plot of the effects, and learning curves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.atomic import replacing
from lab.ablation.answers import Answer, CurveValue, interval
from lab.ablation.effects import CONTRADICTED, SUPPORTED, UNDECIDED
from lab.ablation.questions import Rule

COLOURS = {SUPPORTED: "#2a7f3f", CONTRADICTED: "#c0392b", UNDECIDED: "#666666"}
OF_ARMS = ("#666666", "#4c78a8", "#e45756", "#f58518", "#54a24b")
DOTS_PER_INCH = 120


def draw_forest(answers: Sequence[Answer], rule: Rule, path: Path) -> None:
    """Draw the effect of every question with its interval, and the differences of the seeds as dots.

    Args:
        answers: from top to bottom.
        rule: of the intervals.
        path: PNG or SVG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 1.2 + 0.42 * len(answers)), layout="constrained")
    axes = figure.subplots()
    axes.axvline(0.0, color="black", linewidth=0.8)
    for height, answer in enumerate(answers):
        _draw_effect(axes, height, answer)
    for verdict, colour in COLOURS.items():
        axes.plot([], [], "o-", color=colour, label=f"claim {verdict}")
    axes.plot([], [], "o", color="#aaaaaa", markersize=3, label="one seed")
    names = [f"{answer.question.name}\n{answer.question.arm} − {answer.question.partner}" for answer in answers]
    axes.set_yticks(range(len(answers)), names, fontsize=8)
    axes.set_ylim(len(answers) - 0.5, -0.5)  # the first one on top
    axes.set_xlabel(f"difference of PQ, percent points, with {100 * rule.level:g} % interval")
    axes.grid(axis="x", alpha=0.3)
    texts = axes.secondary_yaxis("right")
    texts.set_yticks(range(len(answers)), [_summary(answer) for answer in answers], fontsize=8)
    texts.tick_params(length=0)
    figure.legend(loc="outside upper center", ncols=4, frameon=False, fontsize=8)
    _save(figure, path)


def draw_curves(values: Sequence[CurveValue], metric: str, benchmark: str, path: Path) -> None:
    """Draw the learning curves: a line for each arm, the mean over seeds, and dots for the seeds.

    Args:
        values: of the curves.
        metric: name of the metric.
        benchmark: name of the benchmark.
        path: PNG or SVG file.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for arm, colour in zip(dict.fromkeys(value.arm for value in values), OF_ARMS, strict=False):
        of_arm = [value for value in values if value.arm == arm]
        steps = sorted({value.steps for value in of_arm})
        means = [np.mean([value.percent for value in of_arm if value.steps == step]) for step in steps]
        axes.plot(steps, means, "-", color=colour, label=arm)
        axes.plot(
            [value.steps for value in of_arm], [value.percent for value in of_arm], "o", color=colour, markersize=4,
            alpha=0.6,
        )  # fmt: skip
    steps = sorted({value.steps for value in values})
    axes.set_xscale("log")
    axes.set_xticks(steps, [f"{step:,}".replace(",", " ") for step in steps])
    axes.minorticks_off()
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("training steps")
    axes.set_ylabel(f"{metric} on {benchmark}, percent")
    axes.grid(alpha=0.3)
    axes.legend(loc="upper left", frameon=False)  # "best" takes seconds on a busy machine, and warns of it
    _save(figure, path)


def _draw_effect(axes: Any, height: int, answer: Answer) -> None:
    effect, colour = answer.effect, COLOURS[answer.verdict]
    differences = effect.of_arm - effect.of_partner
    axes.plot(differences, np.full(len(differences), height + 0.2), "o", color="#aaaaaa", markersize=3)
    axes.plot([effect.low, effect.high], [height, height], "-", color=colour, linewidth=2)
    axes.plot([effect.difference], [height], "o", color=colour, markersize=6)


def _summary(answer: Answer) -> str:
    effect = answer.effect
    return f"{interval(effect.difference, effect.low, effect.high)}\n{answer.question.metric}"


def _save(figure: Any, path: Path) -> None:
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=DOTS_PER_INCH)
