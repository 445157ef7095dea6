"""The training loop and its hook points.

In full::

    before_train
    until max_iter:
        before_step
        data → losses → backward → clip → step
        after_step
    after_train
    close                   (always, also after an error)

What happens at these points is the hooks' business (``hooks.py``).
"""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from frozenseg.engine.hooks import Hook
from frozenseg.engine.optimizer import GradientClip, gradient_norm
from frozenseg.errors import FrozenSegError

Batch = list[dict[str, Any]]


class Step(NamedTuple):
    """What is known of a step once it is done."""

    losses: dict[str, Tensor]  # scalars, detached
    total: float  # their sum
    learning_rate: float  # of the first parameter group
    gradient_norm: Tensor  # scalar, before clipping
    data_time: float  # seconds that the step waited for its batch
    time: float  # seconds, all together


class Trainer:
    """Runs the steps.

    Args:
        model: batch → losses by name; wrapped for several processes already.
        loader: an endless stream of batches, beginning with that of the first step to run.
        optimizer: of the model's trainable parameters.
        max_iter: steps of the whole training.
        start_iteration: steps done by an earlier run.
        clip: clips gradients and returns their norm; by default only the latter.
        scaler: an enabled one switches fp16 mixed precision on.
        hooks: called in this order at every point.
    """

    def __init__(
        self,
        model: nn.Module,
        loader: Iterable[Batch],
        optimizer: torch.optim.Optimizer,
        *,
        max_iter: int,
        start_iteration: int = 0,
        clip: GradientClip = gradient_norm,
        scaler: torch.amp.GradScaler | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.model, self.loader, self.optimizer = model, loader, optimizer
        self.iteration, self.max_iter = start_iteration, max_iter
        self.clip = clip
        self.scaler = torch.amp.GradScaler("cuda", enabled=False) if scaler is None else scaler
        self.hooks = list(hooks)
        self.last_step: Step | None = None
        self.last_checkpoint: Path | None = None
        self.results: dict[str, float] = {}  # evaluation results that wait for the next log line
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def train(self) -> None:
        """Run all steps that are left.

        Raises:
            FrozenSegError: a loss is not finite.
        """
        if self.iteration >= self.max_iter:
            return
        self.model.train()
        try:
            batches = self._started_batches()
            self._call("before_train")
            while self.iteration < self.max_iter:
                self._call("before_step")
                self.last_step = self._step(batches)
                self.iteration += 1
                self._call("after_step")
            self._call("after_train")
        finally:
            self._call("close")

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
        losses = self._losses(batch)
        total = torch.stack(list(losses.values())).sum()
        total_value = total.item()
        self._refuse_non_finite(total_value, losses, batch)
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(total).backward()
        norm = self._update()
        return Step(
            losses={name: loss.detach() for name, loss in losses.items()},
            total=total_value,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=norm.detach(),
            data_time=data_time,
            time=time.perf_counter() - started,
        )

    def _losses(self, batch: Batch) -> Mapping[str, Tensor]:
        with torch.autocast("cuda", dtype=torch.float16, enabled=self.scaler.is_enabled()):
            return self.model(batch)

    def _update(self) -> Tensor:
        self.scaler.unscale_(self.optimizer)
        norm = self.clip(self._parameters)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm

    def _refuse_non_finite(self, total: float, losses: Mapping[str, Tensor], batch: Batch) -> None:
        if math.isfinite(total):
            return
        parts = ", ".join(f"{name} {loss.item():g}" for name, loss in losses.items() if not loss.isfinite())
        images = ", ".join(f"{element.get('image_id')} ({element.get('file_name')})" for element in batch)
        last = f"the last good checkpoint is {self.last_checkpoint}" if self.last_checkpoint else "no checkpoint yet"
        raise FrozenSegError(
            f"The loss became {total} in iteration {self.iteration + 1} ({parts or 'every part of it is finite'}) on "
            f"images {images}; {last}: look at these images, or go on with --resume and a smaller SOLVER.BASE_LR."
        )
