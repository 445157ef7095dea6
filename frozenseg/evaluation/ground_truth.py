"""Ground truth of one image for the metrics, read from the annotation files of its record.

Loader workers may read it together with the image: :func:`read_ground_truths` → ``record["ground_truth"]``. Otherwise
it is read when a metric needs it.
"""

from collections.abc import Callable, Iterable
from typing import Literal, overload

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
    return PanopticMap.from_segments(ids, record["segments_info"])


def _labels(record: Record) -> Runs:
    return Runs.of(read_labels(ground_truth_file(record, "sem_seg_file_name"), record.get("label_coding")))


def _instance_ids(record: Record) -> Runs:
    return Runs.of(read_labels(ground_truth_file(record, "instance_file_name")))


READERS: dict[GroundTruthKind, Callable[[Record], PanopticMap | Runs]] = {
    "segments": _segments,
    "labels": _labels,
    "instance_ids": _instance_ids,
}
