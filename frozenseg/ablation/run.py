"""The grid's processes: every training once, then every evaluation, several at a time; what is done stays done."""

import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from frozenseg.ablation.grid import Question
from frozenseg.atomic import write_json
from frozenseg.errors import FrozenSegError
from frozenseg.log import get_logger

logger = get_logger(__name__)
TRAIN_NET = "tools/train_net.py"
CONTROL = ("TEST.SHUFFLE_CLASS_NAMES", "True")
DONE = "done.json"  # stands in a folder whose work is done: what that was, the command, and the seconds that it took
LAST_LINES = 15  # of a log that are shown when its process fails


class RunFailedError(FrozenSegError):
    """A training or an evaluation did not end well."""


@dataclass(frozen=True)
class Job:
    """One process.

    Attributes:
        title: for the log.
        folder: its ``OUTPUT_DIR``.
        command: without the interpreter and OUTPUT_DIR.
        work: what is done by it; questions that share a training have different commands for the same work.
        resumes: whether ``--resume`` goes on with what an interruption has left.
    """

    title: str
    folder: Path
    command: tuple[str, ...]
    work: tuple[str, ...]
    resumes: bool = False

    @property
    def seconds(self) -> float | None:
        """What it took, or None where it has not been done."""
        try:
            done = json.loads((self.folder / DONE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return float(done["seconds"]) if done.get("work") == list(self.work) else None


def training_job(question: Question, seed: int, folder: Path) -> Job:
    """Return the training of a question, which others may share, without an evaluation at its end."""
    command = (TRAIN_NET, "--config-file", str(question.config_file), *question.options)
    more = ("SEED", str(seed), "DATASETS.TEST", "[]", "LOG_PICTURE_PERIOD", "0")
    place = folder / "trainings" / f"{question.training}_seed{seed}"
    work = (question.training, str(seed))
    return Job(f"training of {question.name}, seed {seed}", place, (*command, *more), work, resumes=True)


def evaluation_jobs(question: Question, seed: int, folder: Path) -> tuple[Job, Job]:
    """Return the evaluation of a question, and its control: the same under shuffled names."""
    weights = training_job(question, seed, folder).folder / "model_final.pth"
    command = (TRAIN_NET, "--config-file", str(question.config_file), "--eval-only", "--weights", str(weights))
    command = (*command, *question.options, "SEED", str(seed), "MODEL.MASK_FORMER.TEST.RECALL_ON", "True")
    place = folder / "evaluations" / question.name / f"seed{seed}"
    title = f"evaluation of {question.name}, seed {seed}"
    shuffled = (*command, *CONTROL)
    return (
        Job(title, place / "true", command, work=command),
        Job(f"{title}, shuffled names", place / "control", shuffled, work=shuffled),
    )


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
    trainings = {
        job.folder: job for question in questions for seed in seeds for job in [training_job(question, seed, folder)]
    }
    evaluations = [job for question in questions for seed in seeds for job in evaluation_jobs(question, seed, folder)]
    logger.info(
        "%d questions, %d seeds: %d trainings and %d evaluations, %d at a time.",
        len(questions), len(seeds), len(trainings), len(evaluations), at_once,
    )  # fmt: skip
    for jobs in (list(trainings.values()), evaluations):
        _run_all([job for job in jobs if job.seconds is None], len(jobs), at_once)


def _run_all(jobs: Sequence[Job], count: int, at_once: int) -> None:
    if len(jobs) < count:
        logger.info("%d of %d are done already.", count - len(jobs), count)
    running: set[subprocess.Popen] = set()
    lock = threading.Lock()
    with ThreadPoolExecutor(at_once) as pool:
        futures = [pool.submit(_run, job, at_once, running, lock) for job in jobs]
        try:
            done, _ = wait(futures, return_when=FIRST_EXCEPTION)
            for future in done:
                future.result()
        finally:
            for future in futures:
                future.cancel()
            with lock:
                for process in running:
                    process.terminate()


def _run(job: Job, at_once: int, running: set[subprocess.Popen], lock: threading.Lock) -> None:
    """Run a process to its end; its words go to ``run.log`` in its folder."""
    logger.info("%s begins.", job.title)
    job.folder.mkdir(parents=True, exist_ok=True)
    resume = ["--resume"] if job.resumes and (job.folder / "last_checkpoint").exists() else []
    command = [sys.executable, *job.command, "OUTPUT_DIR", str(job.folder)]
    command[2:2] = resume
    threads = {"OMP_NUM_THREADS": str(max(1, (os.cpu_count() or 1) // at_once))}
    started = time.perf_counter()
    with (job.folder / "run.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(  # noqa: S603 (this project's own script)
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **threads}
        )
        with lock:
            running.add(process)
        code = process.wait()
        with lock:
            running.discard(process)
    seconds = time.perf_counter() - started
    if code != 0:
        lines = (job.folder / "run.log").read_text(encoding="utf-8", errors="replace").splitlines()[-LAST_LINES:]
        shown = "\n  ".join(lines)
        raise RunFailedError(
            f"The {job.title} failed ({shlex.join(command)}); the end of {job.folder / 'run.log'}:\n  {shown}"
        )
    done = {"work": list(job.work), "command": list(job.command), "seconds": round(seconds, 1)}
    write_json(job.folder / DONE, done)
    logger.info("%s took %.0f s.", job.title, seconds)
