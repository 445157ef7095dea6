"""Training as a SLURM job through submitit: stopped with a checkpoint before its time limit, queued again, resumed."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from frozenseg.engine.arguments import parse_arguments
from frozenseg.engine.run import start

RESUME = "--resume"


class TrainingJob:
    """One task of the job, which runs one process of the training.

    Args:
        argv: command line of ``tools/train_net.py``.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = list(argv)

    def __call__(self) -> int:
        """Train or evaluate; returns the exit code.

        A job that SLURM has queued again, such as after a node failure, resumes.
        """
        from submitit.helpers import TorchDistributedEnvironment

        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        restarted = int(os.environ.get("SLURM_RESTART_COUNT", "0")) > 0
        with _checkpoint_first():
            return start(parse_arguments(self.resuming() if restarted else self.argv))

    def resuming(self) -> list[str]:
        """Return the command line that resumes the job."""
        return self.argv if RESUME in self.argv else [RESUME, *self.argv]

    def checkpoint(self) -> Any:
        """Return the submission that continues this job after its time limit; called by submitit."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(TrainingJob(self.resuming()))


@contextmanager
def _checkpoint_first() -> Iterator[None]:
    """Postpone submitit's requeue signal (SIGUSR2) until training has stopped with a checkpoint.

    The signal is passed to training as SIGUSR1. While nothing handles SIGUSR1, as before training and in an
    evaluation without training, there is nothing to save, and the job is queued again at once.
    """
    requeue = signal.getsignal(signal.SIGUSR2)
    postponed: list[int] = []

    def stop_training_first(number: int, frame: Any) -> None:
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL and callable(requeue):
            requeue(number, frame)
            return
        postponed.append(number)
        signal.raise_signal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR2, stop_training_first)
    yield
    signal.signal(signal.SIGUSR2, requeue)
    if postponed and callable(requeue):
        requeue(postponed[0], None)
