"""Training loop and hook interface.

The loop and the points at which it calls its hooks::

    before_train
    until max_iter, or until a hook sets ``stopped``:
        before_step
        data → (losses → backward) for each part of the batch → clip → optimizer step, skipped if not finite
        after_step
    after_train             (not if a hook has set ``stopped``)
    close                   (always, also after an error)

The hooks of a training run are in ``hooks.py``.
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
from frozenseg.engine.training.data_parallel import without_gradient_sync
from frozenseg.engine.training.optimizer import GradientClip, gradient_norm
from frozenseg.engine.training.precision import Precision

Batch = list[dict[str, Any]]


class StepStatus(enum.Enum):
    """Result of a step; equal on all processes."""

    GOOD = "good"
    BAD = "bad"  # a loss or the gradient was not finite: the step changed nothing
    OVERFLOW = "overflow"  # the float16 loss scale was too large: the step changed the scale alone


class Step(NamedTuple):
    """Record of one finished step."""

    status: StepStatus
    batch: Batch  # this process's share
    losses: dict[str, Tensor]  # scalars, detached, summed over the parts of this process's share
    total: float  # sum of the losses
    learning_rate: float  # of the first parameter group
    gradient_norm: float  # before clipping
    data_time: float  # seconds of waiting for the batch
    time: float  # seconds of the whole step


class Hook:
    """Base class of the callbacks around training steps; the methods here do nothing."""

    def before_train(self, trainer: "Trainer") -> None:
        """Run before the first step, after the loader has started."""

    def before_step(self, trainer: "Trainer") -> None:
        """Run before each step, when ``trainer.iteration`` steps are done."""

    def after_step(self, trainer: "Trainer", step: Step) -> None:
        """Run after each step, which ``trainer.iteration`` includes."""

    def after_train(self, trainer: "Trainer") -> None:
        """Run after the last step, unless training was stopped or failed."""

    def close(self, trainer: "Trainer") -> None:
        """Run when training ends, also after an error."""


def is_due(trainer: "Trainer", period: int) -> bool:
    """Return True if the last step ends a period or the training; with period 0 only at the end of training."""
    return trainer.iteration == trainer.max_iter or (period > 0 and trainer.iteration % period == 0)


class Trainer:
    """Runs training steps and calls the hooks.

    Args:
        model: maps a batch to losses by name; already wrapped for data parallelism. Where a step has several parts,
            it also gets ``masks_of_step``, the number of target masks of every image of the step, so that the losses
            of the parts sum to the loss of the whole batch.
        loader: endless iterable of this process's batches, from the first step to run.
        optimizer: over the trainable parameters of the model.
        steps: iterations to run; its start is the number of steps that are already done.
        images_at_once: images of one part of the batch; 0 for the whole batch.
        clip: clips the gradients in place and returns their norm before clipping; the default only measures.
        precision: of the forward pass; float32 by default.
        hooks: called in this order at every point, and closed in reverse order.

    Attributes:
        iteration: number of steps done.
        states: random states before the current step, or the last one.
        states_after: random states after ``iteration`` steps; empty during a step.
        is_consistent: False while the optimizer updates; a checkpoint may be saved only when True.
        stopped: a hook sets it to end training after the current step.
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
        self.last_checkpoint: Path | None = None
        self.stopped, self.is_consistent = False, True
        self.states: dict[str, Any] = {}
        self.states_after: dict[str, Any] = {}
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def train(self) -> None:
        """Run the remaining steps, or fewer if a hook sets ``stopped``."""
        if self.iteration >= self.max_iter:
            return
        self.model.train()
        try:
            batches = self._started_batches()
            self._call("before_train")
            while self.iteration < self.max_iter and not self.stopped:
                self.states, self.states_after = random_states(), {}
                self._call("before_step")
                step = self._step(batches)
                self.iteration += 1
                self.is_consistent, self.states_after = True, random_states()
                self._call("after_step", step)
            if not self.stopped:
                self._call("after_train")
        finally:
            with ExitStack() as stack:  # closes every hook, also if closing another one fails
                for hook in reversed(self.hooks):
                    stack.callback(hook.close, self)

    def _call(self, point: str, *arguments: Step) -> None:
        for hook in self.hooks:
            getattr(hook, point)(self, *arguments)

    def _started_batches(self) -> Iterator[Batch]:
        """Fetch the first batch before the hooks start: iterating a DataLoader draws from the global generator."""
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
        # The only synchronization with the device in a step; from the sum, all ranks take the same decision.
        scalars = torch.stack([total, norm.to(total), distributed.sum_over_ranks(total)])
        local_total, norm_value, summed_total = scalars.tolist()
        status = self._status(summed_total, norm_value)
        self.is_consistent = False
        self._update(status)
        return Step(
            status=status,
            batch=batch,
            losses=losses,
            total=local_total,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=norm_value,
            data_time=data_time,
            time=time.perf_counter() - started,
        )

    def _backward(self, batch: Batch) -> dict[str, Tensor]:
        """Accumulate the gradients of the parts of a batch, one part in memory at a time; return detached losses."""
        size = self.images_at_once or len(batch)
        parts = [batch[first : first + size] for first in range(0, len(batch), size)]
        sums: dict[str, Tensor] = {}
        for part in parts:
            with nullcontext() if part is parts[-1] else without_gradient_sync(self.model):
                losses = self._losses(part, batch)
                scaled = self.precision.scaler.scale(torch.stack(list(losses.values())).sum())
                torch.autograd.backward(scaled)
            for name, loss in losses.items():
                sums[name] = sums[name] + loss.detach() if name in sums else loss.detach()
        return sums

    def _losses(self, part: Batch, batch: Batch) -> dict[str, Tensor]:
        extra = {}
        if len(part) < len(batch):
            extra["masks_of_step"] = [len(element["instances"]) for element in batch]
        with self.precision.autocast():
            losses: dict[str, Tensor] = self.model(part, **extra)
        return losses

    def _status(self, total: float, norm: float) -> StepStatus:
        if math.isfinite(total) and math.isfinite(norm):
            return StepStatus.GOOD
        scaler = self.precision.scaler
        may_overflow = scaler.is_enabled() and scaler.get_scale() > 1
        return StepStatus.OVERFLOW if math.isfinite(total) and may_overflow else StepStatus.BAD

    def _update(self, status: StepStatus) -> None:
        scaler = self.precision.scaler
        if status is StepStatus.BAD:
            self.optimizer.zero_grad(set_to_none=True)
            if scaler.is_enabled():
                scaler.update(scaler.get_scale())  # keep the scale, which did not cause the bad loss
            return
        scaler.step(self.optimizer)
        scaler.update()
