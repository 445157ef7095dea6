"""Files of a study of questions: answers and learning curves as page, tables and plots, and the plan before a run."""

from collections.abc import Sequence

from tabulate import tabulate

from frozenseg.atomic import write_text
from lab.ablation.answers import (
    Answer,
    CurveValue,
    answer,
    answers_table,
    curve_values,
    interval,
    write_answers,
    write_curves,
)
from lab.ablation.effect_plots import draw_curves, draw_forest
from lab.ablation.effects import SUPPORTED, UNDECIDED
from lab.ablation.inputs import Version
from lab.ablation.questions import LOWER, Question, Questions
from lab.ablation.study import PlannedPart, Study

SHORT_HASH = 12
HOUR = 3600.0


def plan_table(parts: Sequence[PlannedPart], at_once: int) -> str:
    """Return the plan of a study as text: the jobs of each part, and the time that those not completed need.

    Args:
        parts: of the plan.
        at_once: parallel processes.
    """
    rows = [
        [part.name, part.trainings, part.evaluations, part.completed, f"{part.seconds / at_once / HOUR:.2f}"]
        for part in parts
    ]
    total = [sum(column) for column in zip(*(part[1:] for part in parts), strict=True)]
    rows.append(["total", *map(int, total[:3]), f"{total[3] / at_once / HOUR:.2f}"])
    return tabulate(rows, headers=["part", "trainings", "evaluations", "completed", f"hours, {at_once} at once"])


def write_report(study: Study, selected: Sequence[Question], versions: Sequence[Version], command: str) -> str:
    """Write ``answers.md``, ``answers.csv``, ``forest.png``, and the learning curves that are completed.

    Args:
        study: its jobs.
        selected: the questions to report; those without all evaluations are named as open.
        versions: of the questions file.
        command: of the study.

    Returns:
        The table of the answers.
    """
    questions, folder = study.questions, study.folder
    answers = {question.name: answer(study, question) for question in selected}
    answered = [each for each in answers.values() if each is not None]
    values = curve_values(study)
    table = answers_table(answered, questions.rule)
    parts = [_heading(questions, versions, command), table]
    parts += [_paragraph(each, questions) for each in answered]
    if still_open := [name for name, each in answers.items() if each is None]:
        parts.append(f"Not answered yet: {', '.join(still_open)}.")
    if answered:
        write_answers(folder / "answers.csv", answered)
        draw_forest(answered, questions.rule, folder / "forest.png")
        parts.append("![Effects with intervals](forest.png)")
    if values and questions.curves is not None:
        curves = questions.curves
        write_curves(folder / "learning_curves.csv", values)
        draw_curves(values, curves.metric, curves.benchmark, folder / "learning_curves.png")
        parts += [_curves_table(values), "![Learning curves](learning_curves.png)"]
    write_text(folder / "answers.md", "\n\n".join(parts) + "\n")
    return table


def _heading(questions: Questions, versions: Sequence[Version], command: str) -> str:
    version = versions[-1]
    lines = [
        f"`{command}`",
        f"Questions: `{questions.path.name}`, SHA-256 `{version.sha256[:SHORT_HASH]}`, first run {version.first_run}. "
        f"{len(questions.seeds)} seeds, {questions.steps} steps, {questions.scenes} scenes.",
    ]
    if len(versions) > 1:
        earlier = ", ".join(f"`{each.sha256[:SHORT_HASH]}` ({each.first_run})" for each in versions[:-1])
        lines.append(f"**The questions have changed since the first run.** Earlier versions: {earlier}.")
    return "\n\n".join(lines)


def _paragraph(result: Answer, questions: Questions) -> str:
    """Return question, claim and answer as a Markdown list item."""
    question, effect = result.question, result.effect
    difference = interval(effect.difference, effect.low, effect.high)
    sentence = f"**{result.verdict}**: {difference} {question.metric}"
    if result.verdict == UNDECIDED:
        bound = -effect.low if question.expected == LOWER else effect.high
        sentence += f"; an effect above {bound:.1f} in the direction of the claim is outside of the interval"
    elif result.verdict == SUPPORTED:
        sentence += f" with {len(result.seeds)} seeds and {result.scenes} scenes"
    sentence += f"; smallest effect visible with a power of {100 * questions.rule.power:g} %: "
    sentence += f"{effect.smallest_visible:.1f}."
    return f"- `{question.name}`: {question.question} Claim: {question.claim} {sentence}"


def _curves_table(values: Sequence[CurveValue]) -> str:
    steps = sorted({value.steps for value in values})
    rows = []
    for arm in dict.fromkeys(value.arm for value in values):
        row = [f"`{arm}`"]
        for step in steps:
            of_seeds = [value.percent for value in values if (value.arm, value.steps) == (arm, step)]
            row.append(f"{sum(of_seeds) / len(of_seeds):.1f}" if of_seeds else "–")
        rows.append(row)
    headers = ["learning curve", *(f"{step} steps" for step in steps)]
    return tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
