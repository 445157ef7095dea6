"""The training loop and its hook points.

In full::

    before_train
    until max_iter, or somebody stops:
        before_step
        data → (losses → backward) for each part of the batch → clip → step
        after_step
    after_train             (unless somebody has stopped it)
    close                   (always, also after an error)

What happens at these points is the hooks' business (``hooks.py``).
"""

import itertools
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from frozenseg.engine.data_parallel import gradients_kept_here
from frozenseg.engine.hooks import Hook
from frozenseg.engine.optimizer import GradientClip, gradient_norm
from frozenseg.errors import FrozenSegError

Batch = list[dict[str, Any]]


class Step(NamedTuple):
    """What is known of a step once it is done."""

    losses: dict[str, Tensor]  # scalars, detached, of all parts of this process's share of the batch
    total: float  # their sum
    learning_rate: float  # of the first parameter group
    gradient_norm: Tensor  # scalar, before clipping
    data_time: float  # seconds that the step waited for its batch
    time: float  # seconds, all together


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
        scaler: an enabled one switches fp16 mixed precision on.
        hooks: called in this order at every point.
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
        scaler: torch.amp.GradScaler | None = None,
        hooks: Sequence[Hook] = (),
    ) -> None:
        self.model, self.loader, self.optimizer = model, loader, optimizer
        self.iteration, self.max_iter = steps.start, steps.stop
        self.images_at_once, self.clip = images_at_once, clip
        self.scaler = torch.amp.GradScaler("cuda", enabled=False) if scaler is None else scaler
        self.hooks = list(hooks)
        self.last_step: Step | None = None
        self.last_checkpoint: Path | None = None
        self.stopped = False  # a hook that sets it ends training after the step
        self._parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]

    def train(self) -> None:
        """Run all steps that are left, or until a hook has set ``stopped``.

        Raises:
            FrozenSegError: a loss is not finite.
        """
        if self.iteration >= self.max_iter:
            return
        self.model.train()
        try:
            batches = self._started_batches()
            self._call("before_train")
            while self.iteration < self.max_iter and not self.stopped:
                self._call("before_step")
                self.last_step = self._step(batches)
                self.iteration += 1
                self._call("after_step")
            if not self.stopped:
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
        self.optimizer.zero_grad(set_to_none=True)
        losses = self._backward(batch)
        total = torch.stack(list(losses.values())).sum().item()
        self._refuse_non_finite(total, losses, batch)
        norm = self._update()
        return Step(
            losses=losses,
            total=total,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            gradient_norm=norm.detach(),
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
                self.scaler.scale(torch.stack(list(losses.values())).sum()).backward()
            for name, loss in losses.items():
                sums[name] = sums[name] + loss.detach() if name in sums else loss.detach()
        return sums

    def _losses(self, part: Batch, batch: Batch) -> dict[str, Tensor]:
        with torch.autocast("cuda", dtype=torch.float16, enabled=self.scaler.is_enabled()):
            if len(part) == len(batch):
                return self.model(batch)
            return self.model(part, masks_of_step=[len(element["instances"]) for element in batch])

    def _update(self) -> Tensor:
        self.scaler.unscale_(self.optimizer)
        norm = self.clip(self._parameters)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm

    def _refuse_non_finite(self, total: float, losses: dict[str, Tensor], batch: Batch) -> None:
        if math.isfinite(total):
            return
        parts = ", ".join(f"{name} {loss.item():g}" for name, loss in losses.items() if not loss.isfinite())
        images = ", ".join(f"{element.get('image_id')} ({element.get('file_name')})" for element in batch)
        last = f"the last good checkpoint is {self.last_checkpoint}" if self.last_checkpoint else "no checkpoint yet"
        raise FrozenSegError(
            f"The loss became {total} in iteration {self.iteration + 1} ({parts or 'every part of it is finite'}) on "
            f"images {images}; {last}: look at these images, or go on with --resume and a smaller SOLVER.BASE_LR."
        )
