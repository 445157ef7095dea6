"""What a grid has to run: every training once, then every evaluation and its control, and what needs no learning."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.log import get_logger
from lab.ablation.grid import Question
from lab.ablation.jobs import Job, run_jobs

logger = get_logger(__name__)
TOOLS = Path(__file__).resolve().parents[2]
TRAIN_NET, TOYWORLD_BASELINES = str(TOOLS / "train_net.py"), str(TOOLS / "toyworld_baselines.py")
CONTROL = ("TEST.SHUFFLE_CLASS_NAMES", "True")
WEIGHTS = "model_final.pth"
RESULTS = "inference/results.json"
SEEN, UNSEEN = "toyworld_val_seen", "toyworld_val_unseen"
BASELINES = ("majority", "colour", "outline")


def training_job(question: Question, seed: int, folder: Path) -> Job:
    """Return the training of a question, which others may share, without an evaluation at its end."""
    command = (TRAIN_NET, "--config-file", str(question.config_file), *question.options)
    more = ("SEED", str(seed), "DATASETS.TEST", "[]", "LOG_PICTURE_PERIOD", "0")
    place = folder / "trainings" / f"{question.training}_seed{seed}"
    title = f"training of {question.name}, seed {seed}"
    return Job(title, place, (*command, *more), (question.training, str(seed)), leaves=WEIGHTS, resumes=True)


def evaluation_jobs(question: Question, seed: int, folder: Path) -> tuple[Job, Job]:
    """Return the evaluation of a question, and its control: the same under shuffled names."""
    weights = training_job(question, seed, folder).folder / WEIGHTS
    command = (TRAIN_NET, "--config-file", str(question.config_file), "--eval-only", "--weights", str(weights))
    command = (*command, *question.options, "SEED", str(seed), "MODEL.MASK_FORMER.TEST.RECALL_ON", "True")
    place = folder / "evaluations" / question.name / f"seed{seed}"
    title, work = f"evaluation of {question.name}, seed {seed}", (question.evaluation, str(seed))
    return (
        Job(title, place / "true", command, work, leaves=RESULTS),
        Job(f"{title}, shuffled names", place / "control", (*command, *CONTROL), (*work, "shuffled"), leaves=RESULTS),
    )


def baselines_job(questions: Sequence[Question], folder: Path) -> Job | None:
    """Return the evaluation of what needs no learning; None where ToyWorld is not asked about."""
    asked = {benchmark for question in questions for benchmark in question.benchmarks}
    known = [benchmark for benchmark in (SEEN, UNSEEN) if benchmark in asked]
    if not known:
        return None
    place = folder / "baselines"
    command = (TOYWORLD_BASELINES, "--output", str(place), "DATASETS.TEST", repr(known))
    return Job("evaluation of baselines", place, command, tuple(known), leaves=f"{BASELINES[-1]}.json")


def run_grid(questions: Sequence[Question], seeds: Sequence[int], folder: Path, at_once: int) -> None:
    """Train and evaluate all questions over all seeds.

    Args:
        questions: from :func:`read_questions`.
        seeds: of the trainings.
        folder: of all that is written; what stands there already is not done again.
        at_once: processes; the cores are shared among them.

    Raises:
        RunFailedError: a process failed; those that run are ended.
    """
    asked = [(question, seed) for question in questions for seed in seeds]
    trainings = {job.folder: job for job in (training_job(*each, folder) for each in asked)}
    evaluations = [job for each in asked for job in evaluation_jobs(*each, folder)]
    baselines = baselines_job(questions, folder)
    logger.info(
        "%d questions, %d seeds: %d trainings and %d evaluations, %d at a time.",
        len(questions), len(seeds), len(trainings), len(evaluations), at_once,
    )  # fmt: skip
    run_jobs(list(trainings.values()), at_once)
    run_jobs([*evaluations, baselines] if baselines else evaluations, at_once)
