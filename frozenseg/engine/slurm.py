"""Training as a SLURM job, through submitit: stopped in time with a checkpoint, queued again, gone on with."""

import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from frozenseg.engine.arguments import parse_arguments
from frozenseg.engine.run import start

RESUME = "--resume"


class TrainingJob:
    """What one task of the job does: one process of the training.

    Args:
        argv: command line of ``tools/train_net.py``.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self.argv = list(argv)

    def __call__(self) -> int:
        """Train or evaluate; returns the exit code.

        A job that SLURM itself has put back into the queue, as after the failure of a node, goes on too.
        """
        from submitit.helpers import TorchDistributedEnvironment

        TorchDistributedEnvironment().export(set_cuda_visible_devices=False, overwrite=True)
        restarted = int(os.environ.get("SLURM_RESTART_COUNT", "0")) > 0
        with _checkpoint_first():
            return start(parse_arguments(self.resuming() if restarted else self.argv))

    def resuming(self) -> list[str]:
        """Return the command line that goes on with the job."""
        return self.argv if RESUME in self.argv else [RESUME, *self.argv]

    def checkpoint(self) -> Any:
        """Return what is queued in this job's place when its time is up (submitit asks for it)."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(TrainingJob(self.resuming()))


@contextmanager
def _checkpoint_first() -> Iterator[None]:
    """Let training stop with a checkpoint on the signal by which submitit queues the job again, and only then do that.

    Training listens to SIGUSR1. Where nobody does, before training and in evaluations, there is nothing to save.
    """
    queue_again = signal.getsignal(signal.SIGUSR2)
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if signal.getsignal(signal.SIGUSR1) == signal.SIG_DFL and callable(queue_again):
            queue_again(number, frame)
            return
        asked.append(number)
        signal.raise_signal(signal.SIGUSR1)

    signal.signal(signal.SIGUSR2, ask)
    yield
    signal.signal(signal.SIGUSR2, queue_again)
    if asked and callable(queue_again):
        queue_again(asked[0], None)
