"""What happens around the steps of training: learning rate, checkpoints, evaluation, logs. Called in this order."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from frozenseg import distributed
from frozenseg.atomic import replacing
from frozenseg.engine.checkpoints.checkpoint import Checkpointer
from frozenseg.engine.checkpoints.random_states import undisturbed_random_states
from frozenseg.engine.training.lr_schedule import LearningRateSchedule
from frozenseg.engine.training.trainer import Hook, Trainer, is_due
from frozenseg.engine.training.writers import Scalars, Writer, peak_memory, summed_by_kind
from frozenseg.errors import CheckpointError
from frozenseg.log import get_logger

logger = get_logger(__name__)


class Schedule(Hook):
    """Sets the learning rate of every parameter group before each step.

    Args:
        schedule: the factor for each iteration.
    """

    def __init__(self, schedule: LearningRateSchedule) -> None:
        self.schedule = schedule

    def before_step(self, trainer: Trainer) -> None:
        """Multiply each group's initial learning rate."""
        factor = self.schedule.factor(trainer.iteration)
        for group in trainer.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


class SaveCheckpoints(Hook):
    """Writes a checkpoint every so many steps and where training is stopped, and the trained weights alone at the end.

    Args:
        checkpointer: writes them; where it has resumed a run, its generators are put back before the first step.
        *periods: steps between checkpoints; they are written where any period ends.
    """

    def __init__(self, checkpointer: Checkpointer, *periods: int) -> None:
        self.checkpointer, self.periods = checkpointer, periods

    def before_train(self, trainer: Trainer) -> None:
        """Put the random generators back to where the resumed run has left them."""
        self.checkpointer.restore_random_states()
        trainer.last_checkpoint = self.checkpointer.last

    def after_step(self, trainer: Trainer) -> None:
        """Write where due."""
        if trainer.stopped or any(is_due(trainer, period) for period in self.periods):
            trainer.last_checkpoint = self.checkpointer.save(trainer.iteration)
        if trainer.iteration == trainer.max_iter:
            self.checkpointer.save_final()

    def close(self, trainer: Trainer) -> None:
        """Save what an error would lose; several processes cannot agree on that, and keep their last checkpoint."""
        if trainer.iteration == 0 or not trainer.whole or distributed.world_size() > 1:
            return
        try:
            trainer.last_checkpoint = self.checkpointer.save(trainer.iteration, trainer.states_after or trainer.states)
        except CheckpointError as error:
            logger.warning("Nothing could be saved at the end: %s", error)


class Evaluate(Hook):
    """Evaluates every so many steps and after the last one, without touching the random generators of training.

    Stands after the checkpoints, so that nothing is lost with an evaluation.

    Args:
        evaluate: evaluates after a number of steps.
        period: steps between evaluations; 0 for the end only.
        missed: whether the evaluation that was due after the last step of an earlier run is still to be done.
    """

    def __init__(self, evaluate: Callable[[int], None], period: int, missed: bool = False) -> None:
        self.evaluate, self.period, self.missed = evaluate, period, missed

    def before_train(self, trainer: Trainer) -> None:
        """Evaluate where an earlier run was interrupted in it."""
        if self.missed and is_due(trainer, self.period):
            self._evaluate(trainer)

    def after_step(self, trainer: Trainer) -> None:
        """Evaluate where due."""
        if is_due(trainer, self.period) and not trainer.stopped:
            self._evaluate(trainer)

    def _evaluate(self, trainer: Trainer) -> None:
        with undisturbed_random_states():
            self.evaluate(trainer.iteration)


class Log(Hook):
    """Collects what a step tells and hands it to the writers, after the first step, every so many, and the last.

    Losses are the step's own, averaged over the processes; times are averages over the steps since the last line.
    Stands before the checkpoints, so that a resumed run finds a line for every step that it does not repeat.

    Args:
        writers: of this process; empty on all but rank 0.
        device: whose memory is told.
        period: steps between lines.
        more: returns what else is to be told; all processes call it for every line.
    """

    def __init__(
        self,
        writers: Sequence[Writer],
        device: torch.device,
        period: int = 20,
        more: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self.writers, self.device, self.period, self.more = list(writers), device, period, more
        self._times: list[tuple[float, float]] = []

    def after_step(self, trainer: Trainer) -> None:
        """Write a line where due."""
        step = trainer.last_step
        assert step is not None  # noqa: S101 (the trainer sets it before this point)
        self._times.append((step.data_time, step.time))
        if trainer.iteration == 1 or is_due(trainer, self.period):
            self.write(trainer.iteration, self._scalars(trainer))

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Hand scalars to the writers, also results of an evaluation."""
        for writer in self.writers:
            writer.write(iteration, scalars)

    def close(self, trainer: Trainer) -> None:
        """Close the writers."""
        for writer in self.writers:
            writer.close()

    def _scalars(self, trainer: Trainer) -> Scalars:
        step = trainer.last_step
        assert step is not None  # noqa: S101 (see above)
        values = torch.stack([loss.float() for loss in step.losses.values()])
        values = distributed.sum_over_ranks(values) / distributed.world_size()
        losses = summed_by_kind(dict(zip(step.losses, values.tolist(), strict=True)))
        data_times, times = zip(*self._times, strict=True)
        self._times.clear()
        return {
            "total_loss": sum(losses.values()),
            **losses,
            "lr": step.learning_rate,
            "grad_norm": step.gradient_norm,
            "data_time": sum(data_times) / len(data_times),
            "time": sum(times) / len(times),
            "memory": peak_memory(self.device),
            **self.more(),
        }


class Pictures(Hook):
    """Draws how the model sees some images, every so many steps, into ``pictures/`` and for the writers that show it.

    Args:
        draw: returns the drawing; called on rank 0 alone, without touching the random generators of training.
        folder: of the run.
        writers: of this process.
        period: steps between drawings.
    """

    def __init__(self, draw: Callable[[], Image.Image], folder: Path, writers: Sequence[Writer], period: int) -> None:
        self.draw, self.folder, self.writers, self.period = draw, folder, list(writers), period

    def after_step(self, trainer: Trainer) -> None:
        """Draw where due."""
        if not is_due(trainer, self.period) or not distributed.is_main_process():
            return
        with undisturbed_random_states():
            drawing = self.draw()
        with replacing(self.folder / "pictures" / f"step_{trainer.iteration:07d}.png") as temporary:
            drawing.save(temporary)
        for writer in self.writers:
            writer.show(trainer.iteration, drawing)


class ProgressBar(Hook):
    """A bar on a terminal: steps, time to go, loss, data time, memory. Elsewhere the lines of the log must do.

    Args:
        device: whose memory is told.
        quiet: show nothing.
    """

    def __init__(self, device: torch.device, quiet: bool) -> None:
        self.device, self.quiet = device, quiet
        self._bar: tqdm | None = None
        self._told = 0.0

    def before_train(self, trainer: Trainer) -> None:
        """Draw the bar."""
        self._bar = tqdm(
            desc="train",
            total=trainer.max_iter,
            initial=trainer.iteration,
            disable=self.quiet,
            dynamic_ncols=True,
            unit="step",
        )

    def after_step(self, trainer: Trainer) -> None:
        """Move it on."""
        step, bar = trainer.last_step, self._bar
        if bar is None or step is None:
            return
        now = time.monotonic()
        last = trainer.iteration == trainer.max_iter
        if not bar.disable and (last or now - self._told > 1):
            self._told = now
            memory = peak_memory(self.device)
            size = "" if memory is None else f", {memory:.0f} MiB"
            bar.set_postfix_str(f"loss {step.total:.3f}, data {step.data_time:.3f} s{size}", refresh=False)
        bar.update()

    def close(self, trainer: Trainer) -> None:
        """Leave the bar as it is."""
        if self._bar is not None:
            self._bar.close()
