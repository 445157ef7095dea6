"""Study of fixed questions: the trainings and evaluations that answer them, and the seconds that they need."""

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from frozenseg.config import find_config
from lab.ablation.grid import Ablation, read_ablations
from lab.ablation.jobs import Job
from lab.ablation.questions import CURVES, Cost, Curves, Question, Questions
from lab.ablation.run import TRAIN_NET, WEIGHTS, training_job

PAIRED = ("MODEL.INITIAL_VALUES_BY_NAME", "True")
PANOPTIC_ONLY = (
    "MODEL.MASK_FORMER.TEST.PANOPTIC_ON", "True",
    "MODEL.MASK_FORMER.TEST.SEMANTIC_ON", "False",
    "MODEL.MASK_FORMER.TEST.INSTANCE_ON", "False",
    "TEST.SAVE_IMAGE_COUNTS", "True",
)  # fmt: skip
SAVED_EVERY = 50  # steps: work that an interruption can lose
Chain = tuple[Job, ...]


class Cell(NamedTuple):
    """An ablation trained with one seed and evaluated on one benchmark."""

    ablation: Ablation
    seed: int
    benchmark: str
    training: Job
    evaluation: Job

    @property
    def counts_file(self) -> Path:
        """The counts of its scenes."""
        return self.evaluation.folder / self.evaluation.output_file


class CurvePoint(NamedTuple):
    """An ablation after some steps of a training."""

    steps: int
    cell: Cell


@dataclass(frozen=True)
class Study:
    """Jobs of a questions file.

    Attributes:
        questions: content of the file.
        folder: of all results.
        ablations: those of the questions, by name.
        curve_ablations: those of the learning curves, by name.
    """

    questions: Questions
    folder: Path
    ablations: dict[str, Ablation]
    curve_ablations: dict[str, Ablation]

    @classmethod
    def of(cls, questions: Questions, folder: Path) -> "Study":
        """Read the configs of all arms.

        Args:
            questions: content of the file.
            folder: of all results.

        Raises:
            ConfigError: an arm has no config, or it is wrong.
        """
        names = dict.fromkeys(name for each in questions.questions for name in (each.arm, each.partner))
        common = ("SOLVER.MAX_ITER", str(questions.steps), "SOLVER.CHECKPOINT_PERIOD", str(SAVED_EVERY), *PAIRED)
        curves = questions.curves
        return cls(
            questions,
            folder,
            _read(names, (*common, *questions.options)),
            {} if curves is None else _read(curves.arms, (*_curve_options(curves), *questions.options)),
        )

    def cells(self, question: Question) -> list[tuple[Cell, Cell]]:
        """Return the arm and the partner of a question, for each seed."""
        arm, partner = self.ablations[question.arm], self.ablations[question.partner]
        return [
            (self._cell(arm, seed, question.benchmark), self._cell(partner, seed, question.benchmark))
            for seed in self.questions.seeds
        ]

    def curve_points(self) -> list[CurvePoint]:
        """Return the points of the learning curves; an empty list without curves."""
        curves = self.questions.curves
        if curves is None:
            return []
        return [
            CurvePoint(steps, self._cell(ablation, seed, curves.benchmark, steps))
            for seed in curves.seeds
            for ablation in self.curve_ablations.values()
            for steps in curves.steps
        ]

    def chains(self, question: Question) -> list[Chain]:
        """Return the jobs of a question: each training is followed by its evaluations."""
        return _chains(cell for pair in self.cells(question) for cell in pair)

    def curve_chains(self) -> list[Chain]:
        """Return the jobs of the learning curves."""
        return _chains(point.cell for point in self.curve_points())

    def benchmarks(self) -> list[str]:
        """Return the names of all benchmarks."""
        named = [question.benchmark for question in self.questions.questions]
        if self.questions.curves is not None:
            named.append(self.questions.curves.benchmark)
        return list(dict.fromkeys(named))

    def _cell(self, ablation: Ablation, seed: int, benchmark: str, steps: int | None = None) -> Cell:
        training = training_job(ablation, seed, self.folder)
        weights = WEIGHTS if steps is None else f"model_{steps:07d}.pth"
        output = self.folder / ("evaluations" if steps is None else f"curves/step{steps}")
        command = (
            TRAIN_NET, "--config-file", str(ablation.config_file), "--eval-only", "--weights",
            str(training.folder / weights), *ablation.options, "SEED", str(seed), "DATASETS.TEST", repr([benchmark]),
            *PANOPTIC_ONLY, "TEST.SAM_MASK_CACHE", str(self.folder / "sam_proposals"),
        )  # fmt: skip
        after = "" if steps is None else f" after {steps} steps"
        evaluation = Job(
            title=f"evaluation of {ablation.name}{after} on {benchmark}, seed {seed}",
            folder=output / ablation.name / benchmark / f"seed{seed}",
            command=command,
            fingerprint=(ablation.evaluation, str(seed), benchmark, weights),
            output_file=f"inference/{benchmark}_image_counts.json",
        )
        return Cell(ablation, seed, benchmark, training, evaluation)


def _read(names: Iterable[str], options: Sequence[str]) -> dict[str, Ablation]:
    ablations = read_ablations([find_config(f"ablations/{name}") for name in names], None, options)
    return {ablation.name: ablation for ablation in ablations}


def _curve_options(curves: Curves) -> tuple[str, ...]:
    period = math.gcd(*curves.steps)
    return (
        "SOLVER.MAX_ITER", str(curves.steps[-1]), "SOLVER.CHECKPOINT_PERIOD", str(period),
        "SOLVER.KEEP_CHECKPOINTS.LAST", "0",  # all of them
        *PAIRED, *curves.options,
    )  # fmt: skip


def _chains(cells: Iterable[Cell]) -> list[Chain]:
    chains: dict[Path, dict[Path, Job]] = {}
    for cell in cells:
        jobs = chains.setdefault(cell.training.folder, {cell.training.folder: cell.training})
        jobs[cell.evaluation.folder] = cell.evaluation
    return [tuple(jobs.values()) for jobs in chains.values()]


class PlannedPart(NamedTuple):
    """A row of the plan: a question, or the learning curves."""

    name: str
    trainings: int
    evaluations: int
    completed: int  # of both
    seconds: float  # of one core, for the others


def plan(study: Study, selected: Sequence[Question], with_curves: bool) -> list[PlannedPart]:
    """Return the jobs of each question that no earlier one has, and the time that they need.

    The time is that of the completed jobs of the same folder, or that of the questions file.

    Args:
        study: its jobs.
        selected: the questions.
        with_curves: True to add the learning curves.
    """
    parts = [(question.name, [cell for pair in study.cells(question) for cell in pair]) for question in selected]
    steps = {question.name: study.questions.steps for question in selected}
    if with_curves and study.questions.curves is not None:
        parts.append((CURVES, [point.cell for point in study.curve_points()]))
        steps[CURVES] = study.questions.curves.steps[-1]
    cost = _measured_cost(study, parts, steps)
    planned: set[Path] = set()
    rows = []
    for name, cells in parts:
        trainings, evaluations = (
            [job for job in {job.folder: job for job in jobs}.values() if job.folder not in planned]
            for jobs in ([cell.training for cell in cells], [cell.evaluation for cell in cells])
        )
        planned |= {job.folder for job in (*trainings, *evaluations)}
        left = [sum(job.seconds is None for job in jobs) for jobs in (trainings, evaluations)]
        seconds = left[0] * steps[name] * cost.step + left[1] * study.questions.scenes * cost.scene
        completed = len(trainings) + len(evaluations) - sum(left)
        rows.append(PlannedPart(name, len(trainings), len(evaluations), completed, seconds))
    return rows


def _measured_cost(study: Study, parts: Sequence[tuple[str, Sequence[Cell]]], steps: dict[str, int]) -> Cost:
    trained = [
        seconds / steps[name] for name, cells in parts for cell in cells
        if (seconds := cell.training.seconds) is not None
    ]  # fmt: skip
    evaluated = [
        seconds / study.questions.scenes for _, cells in parts for cell in cells
        if (seconds := cell.evaluation.seconds) is not None
    ]  # fmt: skip
    fixed = study.questions.cost
    return Cost(
        statistics.fmean(trained) if trained else fixed.step, statistics.fmean(evaluated) if evaluated else fixed.scene
    )
