"""Training loop of the pretraining: AdamW under a cosine schedule, with batches that depend on the step number only.

It shares the checkpoint format of the library and torch's scheduler, but not the engine's trainer: the losses of a step
are a function of its number, without data loader, config and data-parallel processes.
"""

import math
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR

from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger, progress
from frozenseg.modeling.checkpoint_file import read_checkpoint, write_checkpoint

logger = get_logger(__name__)
Losses = dict[str, Tensor]
LossesOfStep = Callable[[int], Losses]


class Schedule(NamedTuple):
    """Length of the training, learning rates and other settings of the optimiser."""

    steps: int
    learning_rate: float  # highest learning rate
    warm_up: int = 100  # steps of linear warm-up
    weight_decay: float = 0.05  # of matrices and kernels; embeddings, norms and biases have no weight decay
    clip: float = 1.0  # largest norm of the gradient
    keep_every: int = 200  # steps between checkpoints
    log_every: int = 100  # steps between log lines
    restart: int = 0  # step at which a second cosine starts at the full learning rate; 0: no second cosine
    slow: tuple[str, ...] = ()  # name prefixes of parameters with a lower learning rate
    slow_rate: float = 1.0  # factor on the learning rate of these parameters

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: linear warm-up, then one cosine down to 0, or two.

        The weights in the package were trained with this formula; fvcore's cosine differs in the last bits.
        """
        warm = min(1.0, (step + 1) / self.warm_up)
        start, end = (self.restart, self.steps) if step >= self.restart else (0, self.restart)
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * (step - start) / (end - start)))


class ResumeFile(NamedTuple):
    """Checkpoint from which an interrupted run resumes.

    Attributes:
        path: of the file.
        run: all settings of the run as one string; the checkpoint of another run is refused.
    """

    path: Path
    run: str

    def read(self) -> dict[str, Any] | None:
        """Return the checkpoint, or None if there is no file.

        Raises:
            CheckpointError: The file is damaged or belongs to another run.
        """
        if not self.path.is_file():
            return None
        try:
            checkpoint = read_checkpoint(self.path)
        except CheckpointError as error:
            raise CheckpointError(f"{error} Delete the file to start from scratch.") from error
        if checkpoint.get("trainer", {}).get("run") != self.run:
            raise CheckpointError(
                f"{self.path} belongs to a run with another seed or other amounts: delete it, or choose another folder."
            )
        return checkpoint

    def write(self, model: nn.Module, **trainer: Any) -> None:
        """Replace the checkpoint.

        Args:
            model: with the weights to save.
            **trainer: the other states.

        Raises:
            CheckpointError: The file cannot be written.
        """
        content = {"model": model.state_dict(), "frozen": {}, "trainer": {"run": self.run, **trainer}}
        write_checkpoint(self.path, content)


def optimise(model: nn.Module, losses_of: LossesOfStep, schedule: Schedule, resume_file: ResumeFile) -> float:
    """Train a model in place.

    Args:
        model: its parameters with ``requires_grad`` are trained.
        losses_of: returns the losses of a step; must depend on the step number only, so that a resumed run has the
            same losses.
        schedule: steps and learning rates.
        resume_file: checkpoint to resume from and to write.

    Returns:
        Run time in seconds, with that of interrupted runs.

    Raises:
        CheckpointError: The checkpoint is damaged, of another run, or cannot be written; or a loss is not finite.
    """
    groups = _parameter_groups(model, schedule)
    optimizer = torch.optim.AdamW(groups, lr=1.0)  # the scheduler multiplies 1 by the learning rate
    start, seconds = _resume(model, optimizer, resume_file)
    rates: list[Callable[[int], float]] = [partial(_rate, schedule, group["share"]) for group in optimizer.param_groups]
    scheduler = LambdaLR(optimizer, rates, last_epoch=start - 1)
    began = time.perf_counter() - seconds
    model.train()
    for step in progress(range(start, schedule.steps), "pretraining", schedule.steps - start):
        losses = losses_of(step)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise CheckpointError(f"The loss of step {step} is not finite ({losses}): give a lower --learning-rate.")
        optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]  # torch's method has no annotations
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()
        scheduler.step()
        done = step + 1
        if done % schedule.log_every == 0 or done == schedule.steps:
            logger.info("step %d: %s", done, ", ".join(f"{name} {value.item():.4f}" for name, value in losses.items()))
        if done % schedule.keep_every == 0 or done == schedule.steps:
            elapsed = time.perf_counter() - began
            resume_file.write(model, iteration=done, seconds=elapsed, optimizer=optimizer.state_dict())
    model.eval()
    return time.perf_counter() - began


def _rate(schedule: Schedule, share: float, step: int) -> float:
    """Return the learning rate of a parameter group; 0 after the last step, where the cosine ends."""
    return schedule.rate(step) * share if step < schedule.steps else 0.0


def _parameter_groups(model: nn.Module, schedule: Schedule) -> list[dict[str, Any]]:
    """Return a group per parameter, with its weight decay and its ``share`` of the learning rate."""
    embeddings = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    groups = []
    for name, value in model.named_parameters():
        if value.requires_grad:
            decay = schedule.weight_decay if value.ndim > 1 and id(value) not in embeddings else 0.0
            share = schedule.slow_rate if name.startswith(schedule.slow) else 1.0
            groups.append({"params": [value], "weight_decay": decay, "share": share})
    return groups


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, file: ResumeFile) -> tuple[int, float]:
    """Load the checkpoint, if there is one; returns the number of completed steps and their run time."""
    checkpoint = file.read()
    if checkpoint is None:
        return 0, 0.0
    trainer = checkpoint["trainer"]
    try:
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(trainer["optimizer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{file.path} does not fit the model ({error}): delete the file to start from scratch."
        ) from error
    logger.info("Resumed after step %d from %s.", trainer["iteration"], file.path)
    return int(trainer["iteration"]), float(trainer["seconds"])
