"""The training loop and its hook points.

In full::

    before_train
    until max_iter, or somebody stops:
        before_step
        data → (losses → backward) for each part of the batch → clip → step, unless it is a bad one
        after_step
    after_train             (unless somebody has stopped it)
    close                   (always, also after an error)

What happens at these points is the hooks' business (``hooks.py``).
"""

import enum
import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from frozenseg import distributed
from frozenseg.engine.checkpoints.random_states import random_states
from frozenseg.engine.training.data_parallel import gradients_kept_here
from frozenseg.engine.training.optimizer import GradientClip, gradient_norm
from frozenseg.engine.training.precision import Precision

Batch = list[dict[str, Any]]


class StepStatus(enum.Enum):
    """What became of a step; the same on all processes."""

    GOOD = "good"
    BAD = "bad"  # a loss or the gradient was not finite: nothing has changed
    OVERFLOW = "overflow"  # of float16, which has found its scale too large: nothing but that has changed


class Step(NamedTuple):
    """What is known of a step once it is done."""

    outcome: StepStatus
    batch: Batch  # this process's share
    losses: dict[str, Tensor]  # scalars, detached, of all parts of this process's share of the batch
    total: float  # their sum
    learning_rate: float  # of the first parameter group
    gradient_norm: float  # before clipping
    data_time: float  # seconds that the step waited for its batch
    time: float  # seconds, all together


class Hook:
    """Something that happens around the steps. Override the points that matter; all do nothing here."""

    def before_train(self, trainer: "Trainer") -> None:
        """Before the first step; the loader runs already."""

    def before_step(self, trainer: "Trainer") -> None:
        """Before each step; ``trainer.iteration`` steps are done."""

    def after_step(self, trainer: "Trainer") -> None:
        """After each step; ``trainer.iteration`` counts it and ``trainer.last_step`` tells of it."""

    def after_train(self, trainer: "Trainer") -> None:
        """After the last step, if training comes so far."""

    def close(self, trainer: "Trainer") -> None:
        """At the very end, also after an error."""


def is_due(trainer: "Trainer", period: int) -> bool:
    """Tell whether a step ends a period or the training; a period of 0 leaves only the end."""
    return trainer.iteration == trainer.max_iter or (period > 0 and trainer.iteration % period == 0)


class Trainer:
    """Runs the steps.

    Args:
        model: batch → losses by name; wrapped for several processes already. Where a batch has parts, it is given one
            of them and the number of target masks of every image of the batch, so that the losses of the parts add up.
        loader: an endless stream of this process's shares of the batches, beginning with that of the first step to run.
        optimizer: of the model's trainable parameters.
        steps: to run; it starts with the number of those that an earlier run has done.
        images_at_once: images of a part of the batch; 0 for all.
        clip: clips gradients and returns their norm; by default only the latter.
        precision: of the forward pass; by default float32.
        hooks: called in this order at every point.

    Attributes:
        iteration: steps done.
        states: of the random generators before the step that is on its way, or the last one.
        states_after: of the random generators after ``iteration`` steps; empty while one is on its way.
        whole: whether the model is as ``iteration`` steps have left it, and not amid an update.
        stopped: a hook that sets it ends training after the step.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: Iterable[Batch],
        optimizer: torch.optim.Optimizer,
        *,
        steps: range,
        images_at_once: int = 0,
        clip: GradientClip = gradient_norm,
        precision: Precision | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.model, self.loader, self.optimizer = model, loader, optimizer
        self.iteration, self.max_iter = steps.start, steps.stop
        self.images_at_once, self.clip = images_at_once, clip
        self.precision = Precision.of() if precision is None else precision
        self.hooks = list(hooks)
        self.last_step: Step | None = None
        self.last_checkpoint: Path | None = None
        self.stopped, self.whole = False, True
        self.states: dict[str, Any] = {}
        self.states_after: dict[str, Any] = {}
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def train(self) -> None:
        """Run all steps that are left, or until a hook has set ``stopped``."""
        if self.iteration >= self.max_iter:
            return
        self.model.train()
        try:
            batches = self._started_batches()
            self._call("before_train")
            while self.iteration < self.max_iter and not self.stopped:
                self.states, self.states_after = random_states(), {}
                self._call("before_step")
                self.last_step = self._step(batches)
                self.iteration += 1
                self.whole, self.states_after = True, random_states()
                self._call("after_step")
            if not self.stopped:
                self._call("after_train")
        finally:
            with ExitStack() as stack:  # all are called, whatever others raise
                for hook in reversed(self.hooks):
                    stack.callback(hook.close, self)

    def _call(self, point: str) -> None:
        for hook in self.hooks:
            getattr(hook, point)(self)

    def _started_batches(self) -> Iterator[Batch]:
        """Fetch the first batch before the hooks begin: starting a torch loader draws from the global generator."""
        batches = iter(self.loader)
        return itertools.chain([next(batches)], batches)

    def _step(self, batches: Iterator[Batch]) -> Step:
        started = time.perf_counter()
        batch = next(batches)
        data_time = time.perf_counter() - started
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._backward(batch)
        self.precision.scaler.unscale_(self.optimizer)
        norm = self.clip(self._parameters)
        total = torch.stack(list(losses.values())).sum()
        # the one place where the step waits for its device; the sum over the processes makes them all decide alike
        told = torch.stack([total, norm.to(total), distributed.sum_over_ranks(total)]).tolist()
        outcome = self._outcome(total=told[2], norm=told[1])
        self.whole = False
        self._update(outcome)
        return Step(
            outcome=outcome,
            batch=batch,
            losses=losses,
            total=told[0],
            learning_rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=told[1],
            data_time=data_time,
            time=time.perf_counter() - started,
        )

    def _backward(self, batch: Batch) -> dict[str, Tensor]:
        """Sum up the gradients of the parts of a batch, one part in memory at a time; returns its losses, detached."""
        size = self.images_at_once or len(batch)
        parts = [batch[first : first + size] for first in range(0, len(batch), size)]
        sums: dict[str, Tensor] = {}
        for part in parts:
            with nullcontext() if part is parts[-1] else gradients_kept_here(self.model):
                losses = self._losses(part, batch)
                self.precision.scaler.scale(torch.stack(list(losses.values())).sum()).backward()
            for name, loss in losses.items():
                sums[name] = sums[name] + loss.detach() if name in sums else loss.detach()
        return sums

    def _losses(self, part: Batch, batch: Batch) -> dict[str, Tensor]:
        with self.precision.autocast():
            if len(part) == len(batch):
                return self.model(batch)
            return self.model(part, masks_of_step=[len(element["instances"]) for element in batch])

    def _outcome(self, total: float, norm: float) -> StepStatus:
        if math.isfinite(total) and math.isfinite(norm):
            return StepStatus.GOOD
        scaler = self.precision.scaler
        may_overflow = scaler.is_enabled() and scaler.get_scale() > 1
        return StepStatus.OVERFLOW if math.isfinite(total) and may_overflow else StepStatus.BAD

    def _update(self, outcome: StepStatus) -> None:
        scaler = self.precision.scaler
        if outcome is StepStatus.BAD:
            self.optimizer.zero_grad(set_to_none=True)
            if scaler.is_enabled():
                scaler.update(scaler.get_scale())  # it is not the scale's fault
            return
        scaler.step(self.optimizer)
        scaler.update()
