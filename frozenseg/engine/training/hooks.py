"""Hooks of a training run: learning rate, checkpoints, evaluation, logging, preview images, progress bar.

Their order matters; ``HOOK_ORDER`` in ``training_run.py`` defines it.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from PIL import Image
from tqdm import tqdm

from frozenseg import distributed
from frozenseg.atomic import replacing
from frozenseg.engine.checkpoints.checkpoint import Checkpointer
from frozenseg.engine.checkpoints.random_states import preserved_random_states
from frozenseg.engine.training.lr_schedule import LearningRateSchedule
from frozenseg.engine.training.trainer import Hook, Step, Trainer, is_due
from frozenseg.engine.training.writers import MetricWriter, Scalars, max_memory_mib, summed_by_kind
from frozenseg.errors import CheckpointError
from frozenseg.evaluation.types import TaskResults
from frozenseg.log import get_logger

logger = get_logger(__name__)


class SetLearningRate(Hook):
    """Sets the learning rate of every parameter group before each step.

    Args:
        schedule: factor on the initial learning rates, for each iteration.
    """

    def __init__(self, schedule: LearningRateSchedule) -> None:
        self.schedule = schedule

    def before_step(self, trainer: Trainer) -> None:
        """Multiply the initial learning rate of each group by the factor of this iteration."""
        factor = self.schedule.factor(trainer.iteration)
        for group in trainer.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * factor


class SaveCheckpoints(Hook):
    """Saves periodic checkpoints, one where training stops early, and the trained weights at the end.

    Args:
        checkpointer: writes the files; in a resumed run it also restores the random states before the first step.
        *periods: steps between checkpoints; one is saved at the end of each of these periods.
    """

    def __init__(self, checkpointer: Checkpointer, *periods: int) -> None:
        self.checkpointer, self.periods = checkpointer, periods

    def before_train(self, trainer: Trainer) -> None:
        """Restore the random states of the resumed run."""
        self.checkpointer.restore_random_states()
        trainer.last_checkpoint = self.checkpointer.last

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Save a checkpoint where one is due."""
        if trainer.stopped or any(is_due(trainer, period) for period in self.periods):
            trainer.last_checkpoint = self.checkpointer.save(trainer.iteration)
        if trainer.iteration == trainer.max_iter:
            self.checkpointer.save_final()

    def close(self, trainer: Trainer) -> None:
        """Save the steps since the last checkpoint, after an error in a single process.

        Several processes keep their last checkpoint: after an error they cannot save together.
        """
        if trainer.iteration == 0 or not trainer.is_consistent or distributed.world_size() > 1:
            return
        try:
            trainer.last_checkpoint = self.checkpointer.save(trainer.iteration, trainer.states_after or trainer.states)
        except CheckpointError as error:
            logger.warning("The last steps could not be saved: %s", error)


class Evaluate(Hook):
    """Evaluates periodically and after the last step, without changing the random states of training.

    Args:
        evaluate: evaluates the model after a number of steps and returns the results of every benchmark.
        period: steps between evaluations; 0 for the end of training only.
        missed: True if the run that is resumed ended before the evaluation after its last step was complete.

    Attributes:
        results: of the last evaluation, by benchmark; empty before the first.
    """

    def __init__(self, evaluate: Callable[[int], dict[str, TaskResults]], period: int, missed: bool = False) -> None:
        self.evaluate, self.period, self.missed = evaluate, period, missed
        self.results: dict[str, TaskResults] = {}

    def before_train(self, trainer: Trainer) -> None:
        """Evaluate if the resumed run has missed it."""
        if self.missed and is_due(trainer, self.period):
            self._evaluate(trainer)

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Evaluate where it is due."""
        if is_due(trainer, self.period) and not trainer.stopped:
            self._evaluate(trainer)

    def _evaluate(self, trainer: Trainer) -> None:
        with preserved_random_states():
            self.results = self.evaluate(trainer.iteration)


class LogMetrics(Hook):
    """Hands the metrics of a step to the writers: after the first step, then periodically, and after the last.

    Losses are those of the step, averaged over the processes; times are averages over the steps since the last line.

    Args:
        writers: of this process; empty on all but rank 0.
        device: device of which peak memory is logged.
        period: steps between lines.
        extra: returns further scalars; called by all processes for every line.
    """

    def __init__(
        self,
        writers: Sequence[MetricWriter],
        device: torch.device,
        period: int = 20,
        extra: Callable[[], Mapping[str, float]] = dict,
    ) -> None:
        self.writers, self.device, self.period, self.extra = list(writers), device, period, extra
        self._times: list[tuple[float, float]] = []

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Write a line where one is due."""
        self._times.append((step.data_time, step.time))
        if trainer.iteration == 1 or is_due(trainer, self.period):
            self.write(trainer.iteration, self._scalars(step))

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Hand scalars to the writers; also used for the scores of an evaluation."""
        for writer in self.writers:
            writer.write(iteration, scalars)

    def close(self, trainer: Trainer) -> None:
        """Close the writers."""
        for writer in self.writers:
            writer.close()

    def _scalars(self, step: Step) -> Scalars:
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
            "memory": max_memory_mib(self.device),
            **self.extra(),
        }


class DrawPreview(Hook):
    """Draws predictions on a few fixed images periodically, into ``pictures/`` and for the writers that show images.

    Args:
        draw: returns the drawing; called on rank 0 alone, without changing the random states of training.
        folder: output folder of the run.
        writers: of this process.
        period: steps between drawings.
    """

    def __init__(
        self, draw: Callable[[], Image.Image], folder: Path, writers: Sequence[MetricWriter], period: int
    ) -> None:
        self.draw, self.folder, self.writers, self.period = draw, folder, list(writers), period

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Draw where it is due."""
        if not is_due(trainer, self.period) or not distributed.is_main_process():
            return
        with preserved_random_states():
            drawing = self.draw()
        with replacing(self.folder / "pictures" / f"step_{trainer.iteration:07d}.png") as temporary:
            drawing.save(temporary)
        for writer in self.writers:
            writer.show(trainer.iteration, drawing)


class ProgressBar(Hook):
    """Progress bar on a terminal: steps, remaining time, loss, data time, peak memory.

    Args:
        device: device of which peak memory is shown.
        quiet: show nothing; used where the output is no terminal, and the log lines show the progress.
    """

    def __init__(self, device: torch.device, quiet: bool) -> None:
        self.device, self.quiet = device, quiet
        self._bar: tqdm | None = None
        self._refreshed = 0.0  # seconds

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

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Advance the bar by a step; refresh the numbers at most once a second."""
        bar = self._bar
        if bar is None:
            return
        now = time.monotonic()
        is_last = trainer.iteration == trainer.max_iter
        if not bar.disable and (is_last or now - self._refreshed > 1):
            self._refreshed = now
            memory = max_memory_mib(self.device)
            size = "" if memory is None else f", {memory:.0f} MiB"
            bar.set_postfix_str(f"loss {step.total:.3f}, data {step.data_time:.3f} s{size}", refresh=False)
        bar.update()

    def close(self, trainer: Trainer) -> None:
        """Close the bar; it stays on the terminal."""
        if self._bar is not None:
            self._bar.close()
