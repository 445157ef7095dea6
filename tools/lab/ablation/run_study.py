"""Run of a study of questions: one question after another, with a report after each."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.log import get_logger
from lab.ablation.inputs import check_study, record_inputs
from lab.ablation.jobs import run_chains
from lab.ablation.questions import Question
from lab.ablation.study import Study, plan
from lab.ablation.study_report import plan_table, write_report

logger = get_logger(__name__)


def show_plan(study: Study, selected: Sequence[Question], with_curves: bool, at_once: int) -> None:
    """Print the plan of a study, after all checks of its questions and data.

    Args:
        study: its jobs.
        selected: the questions.
        with_curves: True to add the learning curves.
        at_once: parallel processes.

    Raises:
        FrozenSegError: a mistake in the questions, or missing data.
    """
    check_study(study)
    print(plan_table(plan(study, selected, with_curves), at_once), flush=True)


def answer_questions(
    study: Study, selected: Sequence[Question], with_curves: bool, at_once: int, command: str
) -> tuple[str, Path]:
    """Run the jobs of a study and report the answers; completed jobs are not run again.

    Args:
        study: its jobs.
        selected: the questions, answered in this order.
        with_curves: True to run the learning curves after them.
        at_once: parallel processes.
        command: of the study.

    Returns:
        The table of the answers, and the page with everything.

    Raises:
        FrozenSegError: other data than at the first run.
        RunFailedError: a training or an evaluation failed or was stopped.
    """
    versions = record_inputs(study)
    table = write_report(study, selected, versions, command)
    for question in selected:
        logger.info("Question %s: %s", question.name, question.question)
        run_chains(study.chains(question), at_once)
        table = write_report(study, selected, versions, command)
    if with_curves:
        logger.info("Learning curves.")
        run_chains(study.curve_chains(), at_once)
        table = write_report(study, selected, versions, command)
    return table, study.folder / "answers.md"
