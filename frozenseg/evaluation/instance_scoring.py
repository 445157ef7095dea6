"""Parts shared by the metrics of instance masks: thing classes, checked predictions, scoring on the main process.

Letters: C classes, K things.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np

from frozenseg import distributed
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.required_output import required_output
from frozenseg.evaluation.result_lines import ImageLines, encode_result_lines
from frozenseg.evaluation.types import PerClassResults, TaskResults
from frozenseg.structures.dataset_metadata import DatasetMetadata
from frozenseg.structures.instances import Instances
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name

_T = TypeVar("_T")


class InstanceScores(NamedTuple):
    """Scores of instance masks.

    Attributes:
        metrics: over all classes, percent.
        by_class: (C,) fractions by metric, NaN for classes without objects.
    """

    metrics: dict[str, float]
    by_class: dict[str, np.ndarray]


@dataclass(frozen=True)
class ThingClasses:
    """Classes with instances, in the data set's numbering and in the contiguous one.

    Attributes:
        table: all classes.
        dataset_ids: contiguous class id → id of the data set, for things.
    """

    table: ClassTable
    dataset_ids: dict[int, int]

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "ThingClasses":
        """Build for a data set; see :meth:`ClassTable.from_metadata`."""
        return cls(ClassTable.from_metadata(metadata, seen), thing_ids(metadata))

    def instances(self, record: Record, output: ModelOutput) -> Instances:
        """Return the instances of a model output.

        Raises:
            DataError: they are missing, have an unknown class, or a score that is not finite.
        """
        name = f"image {image_name(record)}"
        instances: Instances = required_output(record, output, "instance")
        if unknown := set(instances.pred_classes.tolist()) - set(self.dataset_ids):
            raise DataError(f"The prediction for {name} has an instance of class {min(unknown)}, which is not a thing.")
        if not np.isfinite(instances.scores.tolist()).all():
            raise DataError(f"The prediction for {name} has an instance with a score that is not finite.")
        return instances

    def image_lines(self, record: Record, output: ModelOutput) -> ImageLines:
        """Encode the instances of a model output as result lines; see :meth:`instances`."""
        instances, image = self.instances(record, output), record["image_id"]
        return {"image_id": image, "lines": encode_result_lines(image, instances, self.dataset_ids)}

    def by_class(self, values: np.ndarray, dataset_ids: Sequence[int]) -> np.ndarray:
        """Arrange values of things by contiguous class.

        Args:
            values: (K,) fractions.
            dataset_ids: (K,) ids of the data set, in the order of ``values``.

        Returns:
            (C,) fractions, NaN for classes without a value.
        """
        contiguous = {number: index for index, number in self.dataset_ids.items()}
        by_class = np.full(len(self.table), np.nan)
        by_class[[contiguous[number] for number in dataset_ids]] = values
        return by_class


def score_on_main_process(
    images: Sequence[_T], score: Callable[[list[_T]], InstanceScores], table: ClassTable
) -> tuple[TaskResults, PerClassResults]:
    """Gather the contributions of all processes, score them on the main process, and send the result to all.

    Args:
        images: contributions of this process's images.
        score: contributions of all images → scores; may raise :class:`DataError`.
        table: the classes.

    Returns:
        ``{"segm": {metric: percent}}`` with means over the subsets of classes, and the scores of the classes.

    Raises:
        DataError: as raised by ``score``, on every process.
    """
    merged = [image for share in distributed.gather(list(images)) for image in share]
    local: InstanceScores | DataError | None = None
    if distributed.is_main_process():
        try:
            local = score(merged)
        except DataError as error:
            local = error  # raised below on every process, so that none waits for the others
    scores = distributed.gather(local)[0]
    if isinstance(scores, DataError):
        raise scores
    if scores is None:
        raise RuntimeError("The main process returned no scores.")
    results = dict(scores.metrics)
    for metric, values in scores.by_class.items():
        results |= table.subset_means(metric, values)
    return {"segm": results}, {metric: table.by_name(values) for metric, values in scores.by_class.items()}


def missing_things(metadata: DatasetMetadata) -> str:
    """Return that a data set lacks thing classes; empty if it has some."""
    return "" if thing_ids(metadata) else "thing classes"


def missing_instance_annotations(metadata: DatasetMetadata) -> str:
    """Return that a data set lacks thing classes or a file of instance annotations; empty if it has both."""
    return missing_things(metadata) or ("" if metadata.json_file else "instance annotations (json_file)")


def thing_ids(metadata: DatasetMetadata) -> dict[int, int]:
    """Return contiguous class id → id of the data set, for things."""
    isthing = metadata.vocabulary.isthing
    return {index: category for index, category in enumerate(metadata.category_ids) if isthing[index]}
