"""The ground truth that metrics compare with, read from the files that a record names.

The workers of a loader may read it together with the image (:func:`read_ground_truths` → ``record["ground_truth"]``);
otherwise it is read when a metric needs it.
"""

from collections.abc import Callable, Iterable
from typing import Any

from frozenseg.evaluation.panoptic_matching import PanopticMap
from frozenseg.structures.label_files import ground_truth_file, read_labels, read_segment_runs
from frozenseg.structures.label_runs import Runs

Record = dict[str, Any]


def ground_truth_of(record: Record, kind: str) -> Any:
    """Return the ground truth of an image.

    Args:
        record: of the image.
        kind: ``segments`` (:class:`PanopticMap`), ``labels`` (:class:`Runs` of the label picture's values),
            ``instance_ids`` (:class:`Runs` of Cityscapes' instance ids).

    Raises:
        DataError: the record names no file for it, or the file is missing or damaged.
    """
    ahead = record.get("ground_truth", {})
    return ahead[kind] if kind in ahead else READERS[kind](record)


def read_ground_truths(kinds: Iterable[str], record: Record) -> dict[str, Any]:
    """Read several kinds of ground truth, as :func:`ground_truth_of` does."""
    return {kind: READERS[kind](record) for kind in kinds}


def _segments(record: Record) -> PanopticMap:
    ids = read_segment_runs(ground_truth_file(record, "pan_seg_file_name"))
    return PanopticMap.from_segments(ids, record["segments_info"])


def _labels(record: Record) -> Runs:
    return Runs.of(read_labels(ground_truth_file(record, "sem_seg_file_name")))


def _instance_ids(record: Record) -> Runs:
    return Runs.of(read_labels(ground_truth_file(record, "instance_file_name")))


READERS: dict[str, Callable[[Record], Any]] = {
    "segments": _segments,
    "labels": _labels,
    "instance_ids": _instance_ids,
}
