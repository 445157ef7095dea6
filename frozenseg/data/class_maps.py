"""Class maps: the annotation of an image as one map of class indices; its values are checked while reading.

Sources are panoptic PNGs, label images, object masks and Cityscapes' instance ids.
Letters: H×W the image, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, read_segment_ids
from frozenseg.structures.masks import decode_segmentation
from frozenseg.structures.panoptic import VOID_ID, check_segment_ids
from frozenseg.structures.record import Record

NO_CLASS = -1  # class index of unlabelled pixels
LISTED_OFFSET = 2  # added to the class of a listed segment id, so that 0 marks ids that are not listed
CITYSCAPES_DIVISOR = 1000


class AnnotationRules(NamedTuple):
    """Values that the annotation files of a data set may hold.

    Attributes:
        num_classes: C.
        ignore_label: value of unlabelled pixels in label images.
        thing_contiguous_ids: category id in the files → class index, for things.
        first_label: value of class 0 in label images.
    """

    num_classes: int
    ignore_label: int
    thing_contiguous_ids: Mapping[int, int]
    first_label: int = 0

    @classmethod
    def from_metadata(cls, metadata: Metadata) -> "AnnotationRules":
        """Return the rules of a data set."""
        return cls(len(metadata.vocabulary), metadata.ignore_label, metadata.thing_contiguous_ids, metadata.first_label)


def read_class_map(record: Record, rules: AnnotationRules, size: tuple[int, int]) -> np.ndarray:
    """Read the classes of an image from the most detailed annotation of its record.

    Args:
        record: record of the image.
        rules: annotation rules of its data set.
        size: height and width of the image.

    Returns:
        (H, W) int32 class indices, -1 for unlabelled pixels; all -1 if the record has no annotation.

    Raises:
        DataError: a file is missing or damaged, or has a wrong size or an invalid value.
    """
    if "pan_seg_file_name" in record:
        return _from_segments(record, size)
    if "annotations" in record:
        return _from_objects(record, size)
    if "sem_seg_file_name" in record:
        return read_label_classes(record, rules, size)
    if "instance_file_name" in record:
        return _from_cityscapes(record, rules, size)
    return np.full(size, NO_CLASS, dtype=np.int32)


def read_label_classes(record: Record, rules: AnnotationRules, size: tuple[int, int]) -> np.ndarray:
    """Read the classes of an image from its label image; see :func:`read_class_map`."""
    path = record["sem_seg_file_name"]
    labels = read_labels(path, record.get("label_coding")).astype(np.int32)
    _check_size(path, labels, size)
    labelled = labels != rules.ignore_label
    first, last = rules.first_label, rules.first_label + rules.num_classes - 1
    wrong = labels[labelled & ((labels < first) | (labels > last))]
    if wrong.size:
        raise DataError(
            f"{path} holds the value {wrong[0]}: expected {first} to {last}, or {rules.ignore_label} for unlabelled "
            f"pixels; export or prepare it again. In a custom data set, add the value to the class list, or write "
            f"&ignore={wrong[0]} if it means unlabelled."
        )
    return np.where(labelled, labels - first, NO_CLASS)


def _from_segments(record: Record, size: tuple[int, int]) -> np.ndarray:
    path, segments = record["pan_seg_file_name"], record["segments_info"]
    ids = read_segment_ids(path)
    _check_size(path, ids, size)
    check_segment_ids((segment["id"] for segment in segments), path)
    listed = {segment["id"]: segment["category_id"] for segment in segments}
    # lookup table of all ids up to the largest; only the memory pages with listed ids are allocated (zeros are lazy)
    table = np.zeros(max(ids.max(initial=0), *listed, 0) + 1, dtype=np.int32)
    table[VOID_ID] = NO_CLASS + LISTED_OFFSET
    for segment_id, label in listed.items():
        table[segment_id] = label + LISTED_OFFSET
    classes = table.take(ids)  # (H, W), 0 for an id that is not listed
    if not classes.all():
        unlisted = ids[classes == 0].min()
        raise DataError(f"{path} has pixels of segment {unlisted}, which its annotation does not list.")
    return classes - LISTED_OFFSET


def _from_objects(record: Record, size: tuple[int, int]) -> np.ndarray:
    objects = record["annotations"]
    masks = [decode_object_mask(item, size, record["file_name"]) for item in objects]
    painted = np.full(size, NO_CLASS, dtype=np.int32)
    for index in largest_first(masks):
        painted[masks[index]] = objects[index]["category_id"]
    return painted


def largest_first(masks: Sequence[np.ndarray]) -> list[int]:
    """Return the indices of (H, W) masks in painting order, so that smaller masks are on top of larger ones."""
    return sorted(range(len(masks)), key=lambda index: -int(masks[index].sum()))


def decode_object_mask(item: Mapping[str, Any], size: tuple[int, int], image: str) -> np.ndarray:
    """Return the (H, W) bool mask of an object.

    Args:
        item: object of a record, with ``segmentation`` and optionally its ``id``, for messages.
        size: height and width of the image.
        image: path of the image, for messages.

    Raises:
        DataError: the mask cannot be decoded, or is of another size.
    """
    try:
        return decode_segmentation(item["segmentation"], *size)
    except ValueError as error:
        raise DataError(
            f"The image {image} has an object, id {item.get('id', 'unknown')}, whose mask cannot be decoded: {error}."
        ) from error


def _from_cityscapes(record: Record, rules: AnnotationRules, size: tuple[int, int]) -> np.ndarray:
    ids = read_labels(record["instance_file_name"]).astype(np.int32)
    _check_size(record["instance_file_name"], ids, size)
    table = np.full(ids.max(initial=0) // CITYSCAPES_DIVISOR + 1, NO_CLASS, dtype=np.int32)
    for category, label in rules.thing_contiguous_ids.items():
        if 0 < category < len(table):
            table[category] = label
    return table[ids // CITYSCAPES_DIVISOR]


def _check_size(path: str, annotation: np.ndarray, size: tuple[int, int]) -> None:
    if annotation.shape[:2] != tuple(size):
        raise DataError(
            f"{path} is {annotation.shape[1]}×{annotation.shape[0]} pixels, its image {size[1]}×{size[0]}: image and "
            "annotation do not belong together."
        )
