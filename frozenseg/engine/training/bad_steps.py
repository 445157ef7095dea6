"""Steps that went wrong: told with their images, counted, and after too many in a row written down to be replayed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from frozenseg import distributed
from frozenseg.engine.training.trainer import Batch, Hook, Step, StepStatus, Trainer
from frozenseg.errors import FrozenSegError
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import write_checkpoint
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.structures.instances import Instances

logger = get_logger(__name__)
FOLDER = "bad_steps"
Dump = Callable[[int, Step, dict[str, Any]], Path]  # iteration, step and random states before it → file


class BadSteps(Hook):
    """Tells of bad steps, and ends training after too many in a row. An overflow of float16 is counted and no more.

    Args:
        limit: bad steps in a row that are too many.
        dump: writes the last one down, on every process.
    """

    def __init__(self, limit: int, dump: Dump) -> None:
        self.limit, self.dump = limit, dump
        self.bad, self.overflows = 0, 0
        self._in_a_row = 0

    def after_step(self, trainer: Trainer) -> None:
        """Count.

        Raises:
            FrozenSegError: too many in a row.
        """
        step = trainer.last_step
        assert step is not None  # noqa: S101 (the trainer sets it before this point)
        self.overflows += step.outcome is StepStatus.OVERFLOW
        if step.outcome is not StepStatus.BAD:
            self._in_a_row = 0
            return
        self.bad += 1
        self._in_a_row += 1
        complaint = _complaint(trainer.iteration, step)
        logger.warning("%s; nothing was changed by it (%d in a row).", complaint, self._in_a_row)
        if self._in_a_row >= self.limit:
            file = self.dump(trainer.iteration, step, trainer.states)
            last = trainer.last_checkpoint
            raise FrozenSegError(
                f"{complaint}, and so were the {self._in_a_row - 1} steps before it (SOLVER.MAX_BAD_STEPS "
                f"{self.limit}): see which part of the model it was with 'python tools/replay_step.py {file}', look "
                f"at the images, or go on from {last or 'the start'} with a smaller SOLVER.BASE_LR."
            )

    def counts(self) -> dict[str, float]:
        """Return how many steps have changed nothing since the run began, by reason."""
        return {"bad_steps": self.bad, "overflows": self.overflows}


class StepDump:
    """Writes a step down, so that it can be run again: weights, images with their truth, random states, config.

    Args:
        folder: of the run.
        model: not wrapped.
        config: the resolved config, YAML.
    """

    def __init__(self, folder: Path, model: nn.Module, config: str) -> None:
        self.folder, self.model, self.config = folder, model, config

    def __call__(self, iteration: int, step: Step, states: dict[str, Any]) -> Path:
        """Write what this process has of the step; returns the file.

        Args:
            iteration: number of the step, from 1.
            step: which has changed no weight.
            states: of the random generators before it.

        Raises:
            CheckpointError: the disk refuses.
        """
        path = self.folder / FOLDER / f"step_{iteration:07d}_rank{distributed.rank()}.pth"
        content = checkpoint_content(self.model, self.model.frozen_hashes(), self.config)
        content["bad_step"] = {
            "iteration": iteration,
            "losses": {name: loss.item() for name, loss in step.losses.items()},
            "gradient_norm": step.gradient_norm,
            "random_states": states,
            "batch": [_plain(element) for element in step.batch],
        }
        write_checkpoint(path, content)
        return path


def batch_of(dump: dict[str, Any]) -> Batch:
    """Return the batch that a dump's ``bad_step`` holds."""
    return [
        {**element, "instances": Instances(element["size"], **element["instances"])}
        if "instances" in element
        else element
        for element in dump["batch"]
    ]


def _plain(element: dict[str, Any]) -> dict[str, Any]:
    """Return what training reads of a batch element, of tensors and plain values alone."""
    kept = (Tensor, str, int, float)
    plain = {name: value for name, value in element.items() if isinstance(value, kept)}
    if isinstance(instances := element.get("instances"), Instances):
        plain |= {"instances": dict(instances.get_fields()), "size": list(instances.image_size)}
    return plain


def _complaint(iteration: int, step: Step) -> str:
    """Say what was wrong, and with which images: those of the processes whose losses were not finite, or all."""
    parts = [f"{name} {loss.item():g}" for name, loss in step.losses.items() if not loss.isfinite()]
    images = [f"{element.get('image_id')} ({element.get('file_name')})" for element in step.batch]
    shares = distributed.gather((parts, images))
    guilty = [share for share in shares if share[0]] or shares
    what = ", ".join(guilty[0][0]) or f"every loss is finite, the gradient's norm is {step.gradient_norm:g}"
    names = ", ".join(name for _, share in guilty for name in share)
    return f"Step {iteration} was not finite ({what}) on images {names}"
