"""What the scoring of files gives, and what it is read from."""

import json
import math
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frozenseg.atomic import write_json
from frozenseg.errors import DataError
from frozenseg.evaluation.evaluator import Results
from frozenseg.log import progress
from frozenseg.parallel import outcomes

IMAGES_A_PROCESS = 200  # fewer are done sooner than a process has started
PER_CATEGORY = "per_category"


@dataclass
class FileScores:
    """Scores of prediction files.

    Attributes:
        results: task → metric → percent.
        per_category: category id → metric → percent, or what it is made of; None where there is nothing.
        images: how many were compared.
        notes: sentences on what the numbers do not show.
    """

    results: Results
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


def compare_all(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], workers: int, quiet: bool) -> list[Any]:
    """Compare images, in the order of ``tasks`` whatever the number of processes.

    Args:
        function: see :func:`outcomes`.
        tasks: its arguments.
        workers: processes; 0: one for every 200 images, at most one a processor.
        quiet: no progress bar.
    """
    workers = workers or max(1, min(os.cpu_count() or 1, len(tasks) // IMAGES_A_PROCESS))
    found = dict(progress(outcomes(function, tasks, workers), "comparing images", len(tasks), quiet))
    return [found[place] for place in range(len(tasks))]


def by_category(categories: Sequence[Any], per_class: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
    """Turn ``{metric: {category id: percent}}`` round; None where a category has none."""
    return {
        str(category): {metric: values.get(str(category)) for metric, values in per_class.items()}
        for category in categories
    }


def read_json(path: str | Path, kind: str) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        kind: what it is, for messages: ``ground truth`` or ``predictions``.

    Raises:
        DataError: it is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The {kind} {path} cannot be read as JSON ({error}).") from error


def check_folder(path: str | Path, kind: str) -> Path:
    """Return a folder that must be there.

    Raises:
        DataError: it is not.
    """
    if not Path(path).is_dir():
        raise DataError(f"The folder {path} of the {kind} does not exist.")
    return Path(path)


def first_double(values: Iterable[Any]) -> Any:
    """Return the first value that comes more than once; None where there is none."""
    return next((value for value, count in Counter(values).items() if count > 1), None)


def check_same_images(truth: Iterable[Any], predicted: Iterable[Any], where: str | Path) -> None:
    """Check that the predictions are for the images of the ground truth.

    Args:
        truth: names or ids of the images that are annotated.
        predicted: of those that have a prediction.
        where: the predictions, for messages.

    Raises:
        DataError: a prediction is missing, or is for another image.
    """
    true, guessed = dict.fromkeys(truth), dict.fromkeys(predicted)
    if missing := [image for image in true if image not in guessed]:
        raise DataError(
            f"{where} has no prediction for image {missing[0]} ({len(missing)} of {len(true)} are missing)."
        )
    if unknown := [image for image in guessed if image not in true]:
        raise DataError(
            f"{where} has a prediction for image {unknown[0]}, which the ground truth does not have "
            f"({len(unknown)} of {len(guessed)} are unknown)."
        )
