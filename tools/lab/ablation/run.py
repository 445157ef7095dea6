"""Jobs of an ablation study: every training once, then every evaluation and its control, and the baselines."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.log import get_logger
from lab import SCRIPTS
from lab.ablation.grid import Ablation
from lab.ablation.jobs import Job, run_jobs

logger = get_logger(__name__)
TRAIN_NET, TOYWORLD_BASELINES = str(SCRIPTS / "train_net.py"), str(SCRIPTS / "toyworld_baselines.py")
CONTROL = ("TEST.SHUFFLE_CLASS_NAMES", "True")
WEIGHTS = "model_final.pth"
RESULTS = "inference/results.json"
SEEN, UNSEEN = "toyworld_val_seen", "toyworld_val_unseen"
BASELINES = ("majority", "colour", "outline")


def training_job(ablation: Ablation, seed: int, folder: Path) -> Job:
    """Return the training of an ablation without an evaluation at its end; several ablations may share it."""
    command = (TRAIN_NET, "--config-file", str(ablation.config_file), *ablation.options)
    overrides = ("SEED", str(seed), "DATASETS.TEST", "[]", "LOG_PICTURE_PERIOD", "0")
    output = folder / "trainings" / f"{ablation.training}_seed{seed}"
    return Job(
        title=f"training of {ablation.name}, seed {seed}",
        folder=output,
        command=(*command, *overrides),
        fingerprint=(ablation.training, str(seed)),
        output_file=WEIGHTS,
        can_resume=True,
    )


def evaluation_jobs(ablation: Ablation, seed: int, folder: Path) -> tuple[Job, Job]:
    """Return the evaluation of an ablation and its control, the evaluation with shuffled class names."""
    weights = training_job(ablation, seed, folder).folder / WEIGHTS
    evaluate = (TRAIN_NET, "--config-file", str(ablation.config_file), "--eval-only", "--weights", str(weights))
    command = (*evaluate, *ablation.options, "SEED", str(seed), "MODEL.MASK_FORMER.TEST.RECALL_ON", "True")
    output = folder / "evaluations" / ablation.name / f"seed{seed}"
    title, key = f"evaluation of {ablation.name}, seed {seed}", (ablation.evaluation, str(seed))
    return (
        Job(title, output / "true", command, key, RESULTS),
        Job(f"{title}, shuffled names", output / "control", (*command, *CONTROL), (*key, "shuffled"), RESULTS),
    )


def baselines_job(ablations: Sequence[Ablation], folder: Path) -> Job | None:
    """Return the evaluation of the baselines on ToyWorld; None if ToyWorld is not among the benchmarks."""
    evaluated = {benchmark for ablation in ablations for benchmark in ablation.benchmarks}
    benchmarks = [benchmark for benchmark in (SEEN, UNSEEN) if benchmark in evaluated]
    if not benchmarks:
        return None
    output = folder / "baselines"
    command = (TOYWORLD_BASELINES, "--output", str(output), "DATASETS.TEST", repr(benchmarks))
    return Job("evaluation of baselines", output, command, tuple(benchmarks), f"{BASELINES[-1]}.json")


def run_grid(ablations: Sequence[Ablation], seeds: Sequence[int], folder: Path, at_once: int) -> None:
    """Train and evaluate all ablations with all seeds.

    Args:
        ablations: from :func:`read_ablations`.
        seeds: of the trainings.
        folder: for all results; completed jobs in it are not run again.
        at_once: largest number of parallel processes; the cores are divided among them.

    Raises:
        RunFailedError: A process failed; the other processes are terminated.
    """
    runs = [(ablation, seed) for ablation in ablations for seed in seeds]
    trainings = {job.folder: job for job in (training_job(*run, folder) for run in runs)}
    evaluations = [job for run in runs for job in evaluation_jobs(*run, folder)]
    baselines = baselines_job(ablations, folder)
    logger.info(
        "%d ablations, %d seeds: %d trainings and %d evaluations, %d at a time.",
        len(ablations), len(seeds), len(trainings), len(evaluations), at_once,
    )  # fmt: skip
    run_jobs(list(trainings.values()), at_once)
    run_jobs([*evaluations, baselines] if baselines else evaluations, at_once)
