"""Uses of a data set by training, by the check of data sets, and by drawing, in the smallest form."""

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch

from frozenseg.config import load_config
from frozenseg.data import resolve
from frozenseg.data.checks.inspect import inspect_dataset
from frozenseg.data.loader import TrainDataset
from frozenseg.errors import FrozenSegError

IMAGE_SIZE = 32


@cache
def training_config() -> Any:
    """Return a config whose batches are two images of 32×32 pixels."""
    options = ["INPUT.IMAGE_SIZE", IMAGE_SIZE, "SOLVER.IMS_PER_BATCH", 2, "DATALOADER.NUM_WORKERS", 0, "SEED", 1]
    return load_config("toyworld/frozenseg_tiny", options)


def first_batch(name: str) -> list[dict[str, Any]]:
    """Open a data set for training, read a batch and check the form of its images and masks."""
    batch = next(iter(TrainDataset.open(training_config(), [resolve(name)]).batches()))
    classes = len(resolve(name).vocabulary)
    assert batch
    for sample in batch:
        assert sample["image"].shape == (3, IMAGE_SIZE, IMAGE_SIZE)
        masks, labels = sample["instances"].gt_masks, sample["instances"].gt_classes
        assert masks.shape == (len(labels), IMAGE_SIZE, IMAGE_SIZE)
        assert masks.dtype == torch.bool
        assert bool(((labels >= 0) & (labels < classes)).all()), labels
        assert bool((masks.sum(dim=0) <= 1).all()), "two targets share a pixel"
    return batch


def inspect(name: str, folder: Path) -> None:
    """Check a data set and draw its contact sheet; its problems count as a refusal."""
    report, sheet = inspect_dataset(name, folder / "sheets")
    assert sheet.is_file()
    if report.problems:
        raise FrozenSegError(report.problems[0])


def use_all(*uses: Callable[[], Any]) -> None:
    """Call functions that each may refuse a file; raise the first refusal after the last call."""
    refusals: Sequence[FrozenSegError] = [error for use in uses if (error := refusal(use)) is not None]
    if refusals:
        raise refusals[0]


def refusal(use: Callable[[], Any]) -> FrozenSegError | None:
    """Return the FrozenSegError that a function raises, or None."""
    try:
        use()
    except FrozenSegError as error:
        return error
    return None
