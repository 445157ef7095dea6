"""The loop of pretraining: batches by the number of the step, AdamW under a cosine, resumed where it was stopped."""

import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from frozenseg.atomic import replacing
from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger, progress

logger = get_logger(__name__)
Losses = dict[str, Tensor]
LossesOfStep = Callable[[int], Losses]


class Schedule(NamedTuple):
    """How long and how fast is learned."""

    steps: int
    learning_rate: float
    warm_up: int = 100  # steps of linear warm-up
    weight_decay: float = 0.05  # of matrices and kernels; embeddings, norms and biases are not decayed
    clip: float = 1.0  # largest norm of the gradient
    keep_every: int = 200  # steps between states on disk
    log_every: int = 100  # steps
    restart: int = 0  # step at which a second cosine begins, as high as the first; 0: none
    slow: tuple[str, ...] = ()  # beginnings of names of parameters that learn more slowly
    slow_rate: float = 1.0  # their learning rate, as a share

    def rate(self, step: int) -> float:
        """Return the learning rate of a step, counted from 0: a linear warm-up into a cosine down to 0, or into two."""
        warm = min(1.0, (step + 1) / self.warm_up)
        start, end = (self.restart, self.steps) if step >= self.restart else (0, self.restart)
        return self.learning_rate * warm * 0.5 * (1 + math.cos(math.pi * (step - start) / (end - start)))


class StateFile(NamedTuple):
    """Where the state of a run is kept.

    Attributes:
        path: the file; gone on from where it is there.
        run: all that the run depends on, in words: the state of another one is refused.
    """

    path: Path
    run: str

    def read(self) -> dict[str, Any] | None:
        """Return what is there, or None.

        Raises:
            CheckpointError: it is damaged or of another run.
        """
        if not self.path.is_file():
            return None
        try:
            state = torch.load(self.path, map_location="cpu", weights_only=True)
            same = state["run"] == self.run
        except Exception as error:  # a damaged file raises whatever its bytes happen to say
            raise CheckpointError(f"{self.path} is damaged: delete it, and the run begins anew.") from error
        if not same:
            raise CheckpointError(
                f"{self.path} is of a run with another seed or other amounts: delete it, or choose another folder."
            )
        return state

    def write(self, **state: Any) -> None:
        """Replace what is there.

        Raises:
            CheckpointError: the disk refuses.
        """
        try:
            with replacing(self.path) as temporary:
                torch.save({"run": self.run, **state}, temporary)
        except (OSError, RuntimeError) as error:  # torch.save's word for a full disk is RuntimeError
            raise CheckpointError(
                f"{self.path} cannot be written ({error}): make room, or choose another folder."
            ) from error


def optimise(model: nn.Module, losses_of: LossesOfStep, schedule: Schedule, state_file: StateFile) -> float:
    """Train a model in place.

    Args:
        model: what is trained; its parameters that need gradients.
        losses_of: the losses of a step, a function of its number alone, so that a stopped run goes on as itself.
        schedule: steps and rates.
        state_file: keeps weights and optimiser.

    Returns:
        Seconds of training, those before an interruption, too.

    Raises:
        CheckpointError: the state is damaged or of another run, or cannot be kept; or the loss is not finite.
    """
    optimizer = torch.optim.AdamW(_groups(model, schedule), lr=schedule.learning_rate)
    start, seconds = _resume(model, optimizer, state_file)
    began = time.perf_counter() - seconds
    model.train()
    for step in progress(range(start, schedule.steps), "pretraining", schedule.steps - start):
        for group in optimizer.param_groups:
            group["lr"] = schedule.rate(step) * group["share"]
        losses = losses_of(step)
        total = torch.stack(list(losses.values())).sum()
        if not torch.isfinite(total):
            raise CheckpointError(f"The loss of step {step} is not finite ({losses}): take a smaller --learning-rate.")
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        nn.utils.clip_grad_norm_(model.parameters(), schedule.clip)
        optimizer.step()
        done = step + 1
        if done % schedule.log_every == 0 or done == schedule.steps:
            logger.info("step %d: %s", done, ", ".join(f"{name} {value.item():.4f}" for name, value in losses.items()))
        if done % schedule.keep_every == 0 or done == schedule.steps:
            state_file.write(
                step=done,
                seconds=time.perf_counter() - began,
                model=model.state_dict(),
                optimizer=optimizer.state_dict(),
            )
    model.eval()
    return time.perf_counter() - began


def _groups(model: nn.Module, schedule: Schedule) -> list[dict[str, Any]]:
    """Return a group for each parameter: its decay, and its learning rate as a share of the schedule's."""
    embeddings = {id(part.weight) for part in model.modules() if isinstance(part, nn.Embedding)}
    groups = []
    for name, value in model.named_parameters():
        if value.requires_grad:
            decay = schedule.weight_decay if value.ndim > 1 and id(value) not in embeddings else 0.0
            share = schedule.slow_rate if name.startswith(schedule.slow) else 1.0
            groups.append({"params": [value], "weight_decay": decay, "share": share})
    return groups


def _resume(model: nn.Module, optimizer: torch.optim.Optimizer, file: StateFile) -> tuple[int, float]:
    """Return the steps that are done and the seconds that they took."""
    state = file.read()
    if state is None:
        return 0, 0.0
    try:
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
    except (KeyError, RuntimeError, ValueError) as error:
        raise CheckpointError(f"{file.path} does not fit the model: delete it, and the run begins anew.") from error
    logger.info("Going on after step %d of %s.", state["step"], file.path)
    return int(state["step"]), float(state["seconds"])
