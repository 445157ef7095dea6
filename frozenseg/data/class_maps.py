"""The annotation of a picture as one map of classes, checked: panoptic PNG, label picture, objects, or Cityscapes' ids.

Letters: H×W the picture, C classes.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, read_segment_ids
from frozenseg.structures.masks import decode_segmentation
from frozenseg.structures.panoptic import VOID_ID

UNLABELLED = -1
LISTED = 2  # added to what a listed id stands for, so that no such number is 0
CITYSCAPES_DIVISOR = 1000


class Rules(NamedTuple):
    """What the annotations of a data set may hold.

    Attributes:
        classes: C.
        ignore_label: value of unlabelled pixels in label pictures.
        of_ids: category id in the files → contiguous class, for things.
        first_label: value of the first class in label pictures.
    """

    classes: int
    ignore_label: int
    of_ids: dict[int, int]
    first_label: int = 0

    @classmethod
    def of(cls, metadata: Metadata) -> "Rules":
        """Return the rules of a data set."""
        return cls(len(metadata.vocabulary), metadata.ignore_label, metadata.thing_contiguous_ids, metadata.first_label)


def class_map(record: Record, rules: Rules, size: tuple[int, int]) -> np.ndarray:
    """Read what a picture shows, from the richest annotation that it has.

    Args:
        record: of the picture.
        rules: of its data set.
        size: height and width of the picture.

    Returns:
        (H, W) int32 contiguous classes, -1 where nothing is said; so all over a picture without annotation.

    Raises:
        DataError: a file is missing or damaged, or its size or its values are not what they should be.
    """
    if "pan_seg_file_name" in record:
        return _of_segments(record, size)
    if "annotations" in record:
        return _of_objects(record, size)
    if "sem_seg_file_name" in record:
        return of_labels(record, rules, size)
    if "instance_file_name" in record:
        return _of_cityscapes(record, rules, size)
    return np.full(size, UNLABELLED, dtype=np.int32)


def of_labels(record: Record, rules: Rules, size: tuple[int, int]) -> np.ndarray:
    """Read the label picture; as :func:`class_map`."""
    path = record["sem_seg_file_name"]
    labels = read_labels(path).astype(np.int32)
    _check_size(path, labels, size)
    labelled = labels != rules.ignore_label
    first, last = rules.first_label, rules.first_label + rules.classes - 1
    wrong = labels[labelled & ((labels < first) | (labels > last))]
    if wrong.size:
        raise DataError(
            f"{path} holds the value {wrong[0]}: expected {first} to {last}, or {rules.ignore_label} for unlabelled "
            "pixels."
        )
    return np.where(labelled, labels - first, UNLABELLED)


def _of_segments(record: Record, size: tuple[int, int]) -> np.ndarray:
    path, segments = record["pan_seg_file_name"], record["segments_info"]
    ids = read_segment_ids(path)
    _check_size(path, ids, size)
    listed = {segment["id"]: segment["category_id"] for segment in segments}
    if len(listed) != len(segments):
        raise DataError(f"{path}: two segments of its annotation have the same id.")
    # a table of all ids up to the largest: the operating system hands out only the few pages of it that are touched
    table = np.zeros(max(ids.max(initial=0), *listed, 0) + 1, dtype=np.int32)
    table[VOID_ID] = UNLABELLED + LISTED
    for number, label in listed.items():
        table[number] = label + LISTED
    classes = table.take(ids)  # (H, W), 0 for an id that is not listed
    if not classes.all():
        strange = ids[classes == 0].min()
        raise DataError(f"{path} has pixels of segment {strange}, which its annotation does not list.")
    return classes - LISTED


def _of_objects(record: Record, size: tuple[int, int]) -> np.ndarray:
    objects = record["annotations"]
    masks = [mask_of(item["segmentation"], size, record["file_name"]) for item in objects]
    painted = np.full(size, UNLABELLED, dtype=np.int32)
    for place in largest_first(masks):
        painted[masks[place]] = objects[place]["category_id"]
    return painted


def largest_first(masks: Sequence[np.ndarray]) -> list[int]:
    """Return the places of (H, W) masks in the order of painting: of two that overlap the smaller one lies on top."""
    return sorted(range(len(masks)), key=lambda place: -int(masks[place].sum()))


def mask_of(segmentation: Any, size: tuple[int, int], name: str) -> np.ndarray:
    """Return the (H, W) bool mask of an object.

    Args:
        segmentation: polygons or run lengths, as COCO's annotations have them.
        size: height and width of the picture.
        name: of the picture, for messages.

    Raises:
        DataError: it cannot be decoded, or is of another size.
    """
    try:
        mask = decode_segmentation(segmentation, *size)
    except ValueError as error:
        raise DataError(f"The image {name} has an object whose mask cannot be decoded ({error}).") from error
    if mask.shape != tuple(size):
        raise DataError(
            f"The image {name} is {size[1]}×{size[0]} pixels, the mask of one of its objects "
            f"{mask.shape[1]}×{mask.shape[0]}: image and annotation do not belong together."
        )
    return mask


def _of_cityscapes(record: Record, rules: Rules, size: tuple[int, int]) -> np.ndarray:
    ids = read_labels(record["instance_file_name"]).astype(np.int32)
    _check_size(record["instance_file_name"], ids, size)
    table = np.full(ids.max(initial=0) // CITYSCAPES_DIVISOR + 1, UNLABELLED, dtype=np.int32)
    for number, label in rules.of_ids.items():
        if 0 < number < len(table):
            table[number] = label
    return table[ids // CITYSCAPES_DIVISOR]


def _check_size(path: str, annotation: np.ndarray, size: tuple[int, int]) -> None:
    if annotation.shape[:2] != tuple(size):
        raise DataError(
            f"{path} is {annotation.shape[1]}×{annotation.shape[0]} pixels, its image {size[1]}×{size[0]}: image and "
            "annotation do not belong together."
        )
