"""Scores of prediction files: result type, parallel comparison, and checks of the input files."""

import math
import os
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from frozenseg.atomic import write_json
from frozenseg.errors import DataError
from frozenseg.evaluation.types import TaskResults
from frozenseg.log import progress
from frozenseg.parallel import run_tasks
from frozenseg.structures.record import ImageId

_T = TypeVar("_T")
H = TypeVar("H", bound=Hashable)
IMAGES_PER_PROCESS = 200  # fewer take less time than the start of a process
PER_CATEGORY = "per_category"


@dataclass
class FileScores:
    """Scores of prediction files.

    Attributes:
        results: task → metric → percent.
        per_category: category id → metric → percent, or counts; None if a category has no value.
        images: number of compared images.
        notes: sentences about the input that explain the scores.
    """

    results: TaskResults
    per_category: dict[str, dict[str, float | int | None]]
    images: int
    notes: list[str] = field(default_factory=list)

    def write(self, path: str | Path) -> None:
        """Write ``results.json``: ``{task: {metric: percent}, "per_category": …}``; NaN becomes null."""
        tasks = {
            task: {metric: None if math.isnan(value) else value for metric, value in metrics.items()}
            for task, metrics in self.results.items()
        }
        write_json(path, {**tasks, PER_CATEGORY: self.per_category}, indent=2)


def compare_all(function: Callable[..., _T], tasks: Sequence[tuple[Any, ...]], workers: int, quiet: bool) -> list[_T]:
    """Compare all images, in several processes if there are many.

    Args:
        function: compares one image, see :func:`run_tasks`.
        tasks: arguments of ``function`` for each image.
        workers: number of processes; 0: one per 200 images, at most one per CPU.
        quiet: show no progress bar.

    Returns:
        Results in the order of ``tasks``.
    """
    workers = workers or max(1, min(os.cpu_count() or 1, len(tasks) // IMAGES_PER_PROCESS))
    results = dict(progress(run_tasks(function, tasks, workers), "comparing images", len(tasks), quiet))
    return [results[index] for index in range(len(tasks))]


def by_category(
    categories: Sequence[int], per_class: Mapping[str, Mapping[str, float]]
) -> dict[str, dict[str, float | int | None]]:
    """Transpose ``{metric: {category id: percent}}``; None if a category has no value."""
    return {
        str(category): {metric: values.get(str(category)) for metric, values in per_class.items()}
        for category in categories
    }


def check_folder(path: str | Path, kind: str) -> Path:
    """Return a folder after checking that it exists.

    Args:
        path: of the folder.
        kind: ``ground truth`` or ``predictions``, for messages.

    Raises:
        DataError: it does not exist.
    """
    if not os.path.isdir(path):
        raise DataError(f"The folder {path} of the {kind} does not exist.")
    return Path(path)


def first_duplicate(values: Iterable[H]) -> H | None:
    """Return the first value that occurs more than once; None if there is none."""
    return next((value for value, count in Counter(values).items() if count > 1), None)


def check_same_images(annotated: Collection[ImageId], predicted: Collection[ImageId], source: str | Path) -> None:
    """Check that the predictions are for the images of the ground truth.

    Args:
        annotated: names or ids of the images with ground truth.
        predicted: names or ids of the images with a prediction.
        source: file or folder of the predictions, for messages.

    Raises:
        DataError: a prediction is missing, or is for another image.
    """
    if missing := [image for image in annotated if image not in predicted]:
        raise DataError(
            f"{source} has no prediction for image {missing[0]} ({len(missing)} of {len(annotated)} are missing)."
        )
    if unknown := [image for image in predicted if image not in annotated]:
        raise DataError(
            f"{source} has a prediction for image {unknown[0]}, which the ground truth does not have "
            f"({len(unknown)} of {len(predicted)} are unknown)."
        )
