"""One-layer model with the interface that the engine needs, its data, and functions for other processes."""

import json
import os
import signal
from collections.abc import Container, Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg import distributed
from frozenseg.engine.checkpoints.checkpoint import Checkpointer
from frozenseg.engine.processes.preemption import StopOnSignal
from frozenseg.engine.training.bad_steps import BadSteps
from frozenseg.engine.training.data_parallel import data_parallel
from frozenseg.engine.training.hooks import SaveCheckpoints, SetLearningRate
from frozenseg.engine.training.lr_schedule import LearningRateSchedule
from frozenseg.engine.training.trainer import Hook, Step, Trainer
from frozenseg.errors import DataError, FrozenSegError
from frozenseg.modeling.ensemble.geometric import EnsembleWeights
from frozenseg.modeling.inference_settings import EnsembleSettings, InferenceSettings
from frozenseg.modeling.postprocess.postprocessor import Postprocessor
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.vocabulary import Vocabulary


class OneLayer(SegmentationModel):
    """Learns y = 3x; its dropout draws from torch's generator, so that a wrong random state changes the loss."""

    def __init__(self, width: int = 4) -> None:
        super().__init__(
            vocabulary=Vocabulary.from_strings(["cat,kitten", "sky"], isthing=[True, False]),
            postprocessor=Postprocessor(),
            ensemble=EnsembleSettings(EnsembleWeights(0.4, 0.8), on_valid_mask=False),
        )
        self.layer = nn.Linear(width, 1)
        self.frozen = nn.Linear(width, 1).requires_grad_(False)

    def forward(
        self,
        batch: list[dict[str, Any]],
        masks_of_step: Sequence[int] | None = None,
        settings: InferenceSettings | None = None,
    ) -> dict[str, Tensor]:
        """Return two losses, scaled by the share of the batch in the step."""
        share = len(batch) / len(masks_of_step or batch)
        x = torch.stack([element["image"] for element in batch])
        error = nn.functional.dropout(self.layer(x), 0.5) - 3 * x.sum(dim=1, keepdim=True)
        return {"loss_fit": share * error.square().mean(), "loss_fit_0": 0.1 * share * error.abs().mean()}

    def frozen_hashes(self) -> dict[str, str]:
        """Return a made-up hash."""
        return {"frozen": "0123"}


class Noise:
    """Endless loader of batches that depend on the iteration alone; starting it draws a number, like a DataLoader.

    Args:
        start: the first iteration.
        poisoned: iterations whose images are NaN.
    """

    def __init__(self, start: int = 0, poisoned: Container[int] = ()) -> None:
        self.start, self.poisoned = start, poisoned

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        """Yield batches of two images."""
        torch.rand(1)
        iteration = self.start
        while True:
            x = torch.randn(2, 4, generator=torch.Generator().manual_seed(iteration))
            x = x * float("nan") if iteration in self.poisoned else x
            yield [
                {"image": x[i], "image_id": 10 * iteration + i, "file_name": f"{iteration}_{i}.jpg", "instances": ()}
                for i in (0, 1)
            ]
            iteration += 1


class Halving:
    """Schedule with the interface of fvcore that halves the learning rate with each step."""

    def __call__(self, where: float) -> float:
        """Return the factor."""
        return 0.5 ** (10 * where)


class Recorder(Hook):
    """Keeps the steps, in order."""

    def __init__(self) -> None:
        self.steps: list[Step] = []

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Keep the step."""
        self.steps.append(step)

    @property
    def losses(self) -> list[float]:
        """Total losses."""
        return [step.total for step in self.steps]

    @property
    def rates(self) -> list[float]:
        """Learning rates."""
        return [step.learning_rate for step in self.steps]


def adamw(model: nn.Module, rate: float = 0.1) -> torch.optim.Optimizer:
    """Return an optimizer with parameter groups like those of the engine."""
    params = [parameter for parameter in model.parameters() if parameter.requires_grad]
    return torch.optim.AdamW([{"params": params, "lr": rate, "initial_lr": rate}])


def build_checkpointer(folder: Path, trainer: Trainer, config: str = "SEED: 7\n") -> Checkpointer:
    """Return a checkpointer for a trainer."""
    return Checkpointer(folder, trainer.model, trainer.optimizer, trainer.precision.scaler, config, seed=7)


def build_trainer(max_iter: int = 10, start: int = 0, poisoned: Container[int] = (), seed: int = 0) -> Trainer:
    """Return a trainer with a recorder and a halving learning rate."""
    torch.manual_seed(seed)
    model = OneLayer()
    hooks = [SetLearningRate(LearningRateSchedule(Halving(), 10)), Recorder()]
    loader = Noise(start, poisoned)
    return Trainer(model, loader, adamw(model), steps=range(start, max_iter), hooks=hooks)


def with_checkpoints(trainer: Trainer, folder: Path, period: int = 3) -> Trainer:
    """Add checkpoints to a trainer."""
    trainer.hooks.append(SaveCheckpoints(build_checkpointer(folder, trainer), period))
    return trainer


def recorder_of(trainer: Trainer) -> Recorder:
    """Return a trainer's recorder."""
    return next(hook for hook in trainer.hooks if isinstance(hook, Recorder))


def sum_of_ranks(folder: str) -> int:
    """Write the sum over all ranks of rank + 1; runs in each process."""
    total = distributed.sum_over_ranks(torch.tensor([distributed.rank() + 1.0]))
    (Path(folder) / f"rank{distributed.rank()}").write_text(f"{total.item():g} of {distributed.world_size()}")
    return 0


class SignalParent(Hook):
    """Sends SIGUSR1 from rank 0 to the process that has started all others."""

    def before_step(self, trainer: Trainer) -> None:
        """Send the signal after three steps."""
        if trainer.iteration == 3 and distributed.rank() == 0:
            os.kill(os.getppid(), signal.SIGUSR1)


def train_until_signalled(folder: str) -> int:
    """Train until a signal arrives and write the number of steps; runs in each process."""
    trainer = build_trainer(max_iter=10**9)
    trainer.hooks += [SignalParent(), StopOnSignal()]
    with_checkpoints(trainer, Path(folder), period=10**9).train()
    (Path(folder) / f"rank{distributed.rank()}").write_text(str(trainer.iteration))
    return 0


def poisoned_on_rank_1(folder: str) -> int:
    """Train on images that are NaN on rank 1 alone; write the statuses and the last weights; runs in each process."""
    trainer = build_trainer(max_iter=20, poisoned=(2, 4, 5) if distributed.rank() == 1 else ())
    lines: list[str] = []
    model = trainer.model
    trainer.model = data_parallel(model, torch.device("cpu"))
    dump = Path(f"rank{distributed.rank()}.pth")
    trainer.hooks += [BadSteps(2, lambda iteration, step, states: dump), RecordStatus(lines)]
    try:
        trainer.train()
    except FrozenSegError as error:
        lines.append(str(error))
    weights = model.layer.weight.flatten().tolist()
    (Path(folder) / f"rank{distributed.rank()}").write_text(json.dumps([lines, weights]))
    return 0


class RecordStatus(Hook):
    """Appends the status of each step to a list."""

    def __init__(self, statuses: list[str]) -> None:
        self.statuses = statuses

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Append the status."""
        self.statuses.append(step.status.value)


def mistake_on_rank_1(folder: str) -> int:
    """Raise a DataError on rank 1 while rank 0 waits for it; runs in each process."""
    if distributed.rank() == 1:
        raise DataError(f"{folder}/bad.jpg cannot be decoded: repair it.")
    distributed.barrier()
    return 0


def bug(_: str) -> int:
    """Raise an error that is no mistake of the user; runs in each process."""
    raise KeyError("a bug")
