"""Panoptic counts of every image of a data set, from which PQ can be computed for any selection of its images.

``inference/<benchmark>_image_counts.json`` has the classes, their subsets, and for each image a list of
``[class, tp, fp, fn, sum of IoU]`` of the classes that occur in it. Sums over all images give the reported PQ.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frozenseg import distributed
from frozenseg.atomic import write_json
from frozenseg.errors import DataError
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.panoptic_matching import PanopticCounts
from frozenseg.evaluation.panoptic_quality import PanopticContribution, PanopticQuality
from frozenseg.evaluation.types import ImageContributions
from frozenseg.structures.output_kinds import ModelOutput
from frozenseg.structures.record import Record, image_name

METRIC = PanopticQuality.__name__
Earlier = Mapping[str, ImageContributions]


class ImageCounts:
    """Observer of an evaluation that keeps the contributions of its images to PQ.

    Args:
        table: the scored classes.
    """

    def __init__(self, table: ClassTable) -> None:
        self.table = table
        self._images: dict[str, object] = {}

    def observe(self, record: Record, output: ModelOutput, contribution: ImageContributions) -> None:
        """Keep the contribution of an image."""
        del output
        self._images[image_name(record)] = contribution[METRIC]

    def write(self, path: Path, earlier: Earlier) -> None:
        """Write the counts of the images of all processes, sorted by name (rank 0 only).

        Args:
            path: JSON file.
            earlier: contributions of the images that an interrupted evaluation has processed.
        """
        images = {name: contribution[METRIC] for name, contribution in earlier.items()}
        for of_process in distributed.gather(self._images):
            images |= of_process
        if distributed.is_main_process():
            subsets = {name: members.tolist() for name, members in self.table.subsets.items()}
            classes = {"names": self.table.names, "isthing": self.table.isthing.tolist(), "subsets": subsets}
            write_json(path, {"classes": classes, "images": dict(sorted(images.items()))})


class SavedCounts(NamedTuple):
    """Content of a file of :class:`ImageCounts`.

    Letters: N images, C classes.
    """

    table: ClassTable
    images: tuple[str, ...]  # N names
    counts: PanopticCounts  # each (N, C) float64


def read_image_counts(path: str | Path) -> SavedCounts:
    """Read the counts of an evaluation with TEST.SAVE_IMAGE_COUNTS.

    Args:
        path: JSON file.

    Raises:
        DataError: the file is missing or damaged.
    """
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        classes, images = content["classes"], content["images"]
        subsets = {name: np.array(members, dtype=bool) for name, members in classes["subsets"].items()}
        table = ClassTable(tuple(classes["names"]), np.array(classes["isthing"], dtype=bool), subsets)
        counts = _dense(list(images.values()), len(table))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
        raise DataError(
            f"{path} has no counts of images ({error}): evaluate again with TEST.SAVE_IMAGE_COUNTS True."
        ) from error
    return SavedCounts(table, tuple(images), PanopticCounts(*counts))


def _dense(images: Sequence[PanopticContribution], classes: int) -> Any:
    """Return tp, fp, fn and sum of IoU, (4, N, C)."""
    counts = np.zeros((4, len(images), classes))
    for index, contribution in enumerate(images):
        for label, *values in contribution:
            counts[:, index, int(label)] = values
    return counts
