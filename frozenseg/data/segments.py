"""Training targets of an image as numbered segments: an id map and the class of each id, from any kind of annotation.

Letters: H×W the image.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.data.class_maps import NO_CLASS, decode_object_mask, largest_first, read_label_classes
from frozenseg.data.images import check_size
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_segment_colours
from frozenseg.structures.panoptic import VOID_ID, check_segment_ids, id_to_rgb
from frozenseg.structures.record import Record

SegmentInfo = dict[str, Any]
TARGET_FIELDS = ("pan_seg_file_name", "annotations", "sem_seg_file_name")  # the most detailed annotation first


def target_field(records: Sequence[Record], name: str) -> str:
    """Return the field of a data set's records that training reads: the most detailed annotation that all records have.

    Args:
        records: records of the data set.
        name: name of the data set, for the message.

    Raises:
        DataError: there is no such field.
    """
    for field in TARGET_FIELDS:
        if all(field in record for record in records):
            return field
    raise DataError(
        f"{name} cannot be trained on: its images have no panoptic PNGs, no objects and no label images "
        f"({', '.join(TARGET_FIELDS)})."
    )


def read_segments(record: Record, size: tuple[int, int]) -> tuple[Image.Image, list[SegmentInfo]]:
    """Read the segments of an image from the most detailed annotation of its record.

    Args:
        record: with ``pan_seg_file_name`` and ``segments_info`` (crowds are left out); or with ``annotations``: each
            object that is not a crowd is a segment, smaller ones on top of larger ones; or with
            ``sem_seg_file_name`` and the ``rules`` of its data set: all pixels of a class are one segment.
        size: height and width of the image, pixels.

    Returns:
        The id map, (H, W) RGB with ``id = R + 256·G + 65536·B``, and the segments: ``id`` and ``category_id``.

    Raises:
        DataError: a file is missing, cannot be decoded, or has another size than the image.
    """
    if "pan_seg_file_name" in record:
        check_segment_ids((segment["id"] for segment in record["segments_info"]), record["pan_seg_file_name"])
        ids = read_segment_colours(record["pan_seg_file_name"])
        check_size(record["pan_seg_file_name"], ids, size)
        return ids, [segment for segment in record["segments_info"] if not segment["iscrowd"]]
    id_map, segments = _from_objects(record, size) if "annotations" in record else _from_labels(record, size)
    return Image.fromarray(id_to_rgb(id_map)), segments


def _from_objects(record: Record, size: tuple[int, int]) -> tuple[np.ndarray, list[SegmentInfo]]:
    objects = [item for item in record["annotations"] if not item["iscrowd"]]
    masks = [decode_object_mask(item, size, record["file_name"]) for item in objects]
    id_map = np.full(size, VOID_ID, dtype=np.int32)
    for index in largest_first(masks):
        id_map[masks[index]] = index + 1
    return id_map, [{"id": number, "category_id": item["category_id"]} for number, item in enumerate(objects, start=1)]


def _from_labels(record: Record, size: tuple[int, int]) -> tuple[np.ndarray, list[SegmentInfo]]:
    classes = read_label_classes(record, record["rules"], size)
    id_map = np.where(classes == NO_CLASS, VOID_ID, classes + 1)
    present = np.unique(classes[classes != NO_CLASS]).tolist()
    return id_map, [{"id": label + 1, "category_id": label} for label in present]
