"""Ground truth of one image for the metrics, read from the annotation files of its record.

Loader workers may read it together with the image: :func:`read_ground_truths` → ``record["ground_truth"]``. Otherwise
it is read when a metric needs it.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal, overload

import numpy as np

from frozenseg.evaluation.panoptic_matching import PanopticMap
from frozenseg.structures.label_files import read_labels, read_segment_runs
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.record import Record, ground_truth_file

GroundTruthKind = Literal["segments", "labels", "instance_ids"]


@overload
def ground_truth_of(record: Record, kind: Literal["segments"]) -> PanopticMap: ...
@overload
def ground_truth_of(record: Record, kind: Literal["labels", "instance_ids"]) -> Runs: ...
def ground_truth_of(record: Record, kind: GroundTruthKind) -> PanopticMap | Runs:
    """Return the ground truth of an image.

    Args:
        record: of the image.
        kind: ``segments`` (panoptic PNG and ``segments_info``), ``labels`` (values of the label image), or
            ``instance_ids`` (values of the image of Cityscapes' instance ids).

    Raises:
        DataError: the record has no such file, or the file is missing or damaged.
    """
    loaded: dict[GroundTruthKind, PanopticMap | Runs] = record.get("ground_truth", {})
    return loaded[kind] if kind in loaded else READERS[kind](record)


def read_ground_truths(kinds: Iterable[GroundTruthKind], record: Record) -> dict[GroundTruthKind, PanopticMap | Runs]:
    """Read several kinds of ground truth, see :func:`ground_truth_of`."""
    return {kind: READERS[kind](record) for kind in kinds}


def _segments(record: Record) -> PanopticMap:
    ids = read_segment_runs(ground_truth_file(record, "pan_seg_file_name"))
    return PanopticMap.from_segments(ids, _with_areas(record["segments_info"], ids))


def _with_areas(segments: list[dict[str, Any]], ids: Runs) -> list[dict[str, Any]]:
    """Return segments with the number of their pixels where the annotation has no area."""
    if all("area" in segment for segment in segments):
        return segments
    values, runs = np.unique(ids.values, return_inverse=True)
    pixels = dict(zip(values.tolist(), np.bincount(runs, ids.lengths()).astype(int).tolist(), strict=True))
    return [{"area": pixels.get(segment["id"], 0), **segment} for segment in segments]


def _labels(record: Record) -> Runs:
    return Runs.of(read_labels(ground_truth_file(record, "sem_seg_file_name"), record.get("label_coding")))


def _instance_ids(record: Record) -> Runs:
    return Runs.of(read_labels(ground_truth_file(record, "instance_file_name")))


READERS: dict[GroundTruthKind, Callable[[Record], PanopticMap | Runs]] = {
    "segments": _segments,
    "labels": _labels,
    "instance_ids": _instance_ids,
}
