"""Detection of non-finite training steps: warning, count, and a dump for replay after too many in a row."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import Tensor

from frozenseg import distributed
from frozenseg.engine.training.trainer import Batch, Hook, Step, StepStatus, Trainer
from frozenseg.errors import FrozenSegError
from frozenseg.log import get_logger
from frozenseg.modeling.checkpoint_file import write_checkpoint
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.structures.instances import Instances

logger = get_logger(__name__)
DUMP_FOLDER = "bad_steps"
Dump = Callable[[int, Step, dict[str, Any]], Path]  # iteration, step and random states before it → file


class BadSteps(Hook):
    """Warns of bad steps and ends training after too many in a row; overflows of float16 are only counted.

    Args:
        limit: number of consecutive bad steps that ends training.
        dump: writes the last bad step to a file, on every process.
    """

    def __init__(self, limit: int, dump: Dump) -> None:
        self.limit, self.dump = limit, dump
        self.bad, self.overflows = 0, 0
        self._in_a_row = 0

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Count the step by its status.

        Raises:
            FrozenSegError: too many bad steps in a row.
        """
        self.overflows += step.status is StepStatus.OVERFLOW
        if step.status is not StepStatus.BAD:
            self._in_a_row = 0
            return
        self.bad += 1
        self._in_a_row += 1
        problem = _describe_bad_step(trainer.iteration, step)
        logger.warning("%s; the step was skipped (%d in a row).", problem, self._in_a_row)
        if self._in_a_row >= self.limit:
            file = self.dump(trainer.iteration, step, trainer.states)
            raise FrozenSegError(
                f"{problem}, like the {self._in_a_row - 1} steps before it (SOLVER.MAX_BAD_STEPS {self.limit}): find "
                f"the part of the model with 'python tools/replay_step.py {file}', check the images, or continue from "
                f"{trainer.last_checkpoint or 'the start'} with a smaller SOLVER.BASE_LR."
            )

    def counts(self) -> dict[str, float]:
        """Return the number of skipped steps since the run began, by reason."""
        return {"bad_steps": self.bad, "overflows": self.overflows}


class StepDump:
    """Writes everything that is needed to run a step again: weights, batch, random states, config.

    Args:
        folder: output folder of the run.
        model: not wrapped for data parallelism.
        config: the resolved config, YAML.
    """

    def __init__(self, folder: Path, model: SegmentationModel, config: str) -> None:
        self.folder, self.model, self.config = folder, model, config

    def __call__(self, iteration: int, step: Step, states: dict[str, Any]) -> Path:
        """Write this process's share of a step; return the file.

        Args:
            iteration: number of the step, from 1.
            step: the step, which has changed no weight.
            states: random states before it.

        Raises:
            CheckpointError: the file cannot be written.
        """
        path = self.folder / DUMP_FOLDER / f"step_{iteration:07d}_rank{distributed.rank()}.pth"
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
    """Return the batch in the ``bad_step`` entry of a dump."""
    return [
        {**element, "instances": Instances(element["size"], **element["instances"])}
        if "instances" in element
        else element
        for element in dump["batch"]
    ]


def _plain(element: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of a batch element that training reads, as tensors and plain values only."""
    kept = (Tensor, str, int, float)
    plain: dict[str, Any] = {name: value for name, value in element.items() if isinstance(value, kept)}
    if isinstance(instances := element.get("instances"), Instances):
        plain |= {"instances": dict(instances.get_fields()), "size": list(instances.image_size)}
    return plain


def _describe_bad_step(iteration: int, step: Step) -> str:
    """Name the non-finite losses and the images of the processes that have them, or of all processes."""
    losses = [f"{name} {loss.item():g}" for name, loss in step.losses.items() if not loss.isfinite()]
    images = [f"{element.get('image_id')} ({element.get('file_name')})" for element in step.batch]
    shares = distributed.gather((losses, images))
    suspects = [share for share in shares if share[0]] or shares
    values = ", ".join(suspects[0][0]) or f"all losses are finite, the gradient norm is {step.gradient_norm:g}"
    names = ", ".join(name for _, share in suspects for name in share)
    return f"Step {iteration} was not finite ({values}) on images {names}"
