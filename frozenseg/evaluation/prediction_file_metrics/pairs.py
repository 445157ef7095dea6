"""Comparison of the ground truth and prediction files of one image; runs in worker processes and imports little.

Letters: C classes.
"""

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.label_counts import IGNORED_CLASS, LabelPairs, LabelValues, count_labels
from frozenseg.evaluation.panoptic_matching import PanopticMap, count_matches
from frozenseg.evaluation.prediction_file_metrics.annotation_faults import AnnotationFaults
from frozenseg.structures.label_files import read_labels, read_segment_runs
from frozenseg.structures.label_runs import Runs, overlay
from frozenseg.structures.record import ImageId


class PanopticFile(NamedTuple):
    """Panoptic segmentation of one image in COCO's format.

    Attributes:
        path: of the PNG of segment ids.
        segments: ``id`` and ``category_id`` (contiguous); in ground truth also ``area`` and ``iscrowd``.
    """

    path: Path
    segments: list[dict[str, Any]]

    def read(self) -> PanopticMap:
        """Read the PNG."""
        return PanopticMap.from_segments(read_segment_runs(self.path), self.segments)


class PanopticComparison(NamedTuple):
    """Result of the comparison of one image.

    Attributes:
        counts: ``[class, tp, fp, fn, sum of IoU]`` for each class that occurs.
        faults: disagreement of the ground truth's PNG and JSON.
    """

    counts: list[list[float]]
    faults: AnnotationFaults


def match_panoptic_files(
    image: ImageId,
    ground_truth: PanopticFile,
    predicted: PanopticFile,
    classes: int,
    size: tuple[int, int] | None = None,
) -> PanopticComparison:
    """Match the segments of an image.

    Args:
        image: id of the image, for messages.
        ground_truth: the annotation.
        predicted: the prediction.
        classes: C.
        size: height, width of the image in the JSON of the ground truth; None if it lists none.

    Raises:
        DataError: a PNG cannot be read, or the maps do not match.
    """
    annotation = ground_truth.read()
    if size and annotation.ids.size != size:
        raise DataError(
            f"The ground truth lists image {image} with {size[0]}×{size[1]} pixels (height × width), but its PNG "
            f"{ground_truth.path} has {annotation.ids.size[0]}×{annotation.ids.size[1]}: correct the JSON or the PNG."
        )
    counts = count_matches(annotation, predicted.read(), classes, f"image {image}").occurring()
    return PanopticComparison(counts, AnnotationFaults.of(annotation, image))


class LabelComparison(NamedTuple):
    """Result of the comparison of two label images.

    Attributes:
        pairs: pixels by pair of classes; class C is predicted for labelled pixels that have the value of unlabelled
            pixels.
        unlabelled: number of unlabelled pixels of the ground truth.
    """

    pairs: LabelPairs
    unlabelled: int


def compare_label_files(name: str, annotation: Path, prediction: Path, values: LabelValues) -> LabelComparison:
    """Compare two label images.

    Args:
        name: of the image, for messages.
        annotation: file of the ground truth.
        prediction: file of the prediction.
        values: meaning of the values of both images.

    Raises:
        DataError: an image cannot be read, the sizes differ, or a value is not a class.
    """
    annotated, predicted = (Runs.of(read_labels(path)) for path in (annotation, prediction))
    if annotated.size != predicted.size:
        raise DataError(
            f"The prediction for image {name} is {predicted.size[0]}×{predicted.size[1]} pixels, its ground truth "
            f"{annotated.size[0]}×{annotated.size[1]}: predict at the size of the original image."
        )
    true_run, predicted_run, pixels = overlay(annotated, predicted)
    true_classes = values.true_classes(annotated.values, f"The ground truth {annotation}")[true_run]
    classes = predicted.values.astype(np.int64) - values.first
    known = (classes >= 0) & (classes < values.classes)
    labelled = predicted.values != values.ignore
    wrong = (true_classes != IGNORED_CLASS) & (pixels > 0) & (labelled & ~known)[predicted_run]
    if wrong.any():
        raise DataError(
            f"The prediction {prediction} holds the value {predicted.values[predicted_run[wrong][0]]} on labelled "
            f"pixels: expected {values.first} to {values.first + values.classes - 1}."
        )
    predicted_classes = np.where(labelled, classes, values.classes)[predicted_run]
    pairs = count_labels(true_classes, predicted_classes, pixels, values.classes)
    return LabelComparison(pairs, annotated.size[0] * annotated.size[1] - sum(pairs["pixels"]))
