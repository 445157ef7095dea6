"""What training learns from in a picture: a map of numbered segments and their classes, from any kind of annotation.

Letters: H×W the picture.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.data.class_maps import UNLABELLED, largest_first, mask_of, of_labels
from frozenseg.data.images import check_size, read_image
from frozenseg.data.metadata import Record
from frozenseg.errors import DataError
from frozenseg.structures.panoptic import VOID_ID, id_to_rgb

Segment = dict[str, Any]
SOURCES = ("pan_seg_file_name", "annotations", "sem_seg_file_name")  # the richest first


def source_of(records: Sequence[Record], name: str) -> str:
    """Return the field of a data set's records that training learns from: the richest that all have.

    Args:
        records: of the data set.
        name: of the data set, for the message.

    Raises:
        DataError: there is none.
    """
    for field in SOURCES:
        if all(field in record for record in records):
            return field
    raise DataError(
        f"{name} cannot be trained on: its images have no panoptic PNGs, no objects and no label pictures "
        f"({', '.join(SOURCES)})."
    )


def read_segments(record: Record, size: tuple[int, int]) -> tuple[Image.Image, list[Segment]]:
    """Read what a picture shows, from the richest annotation that it has.

    Args:
        record: with ``pan_seg_file_name`` and ``segments_info`` (crowds are left out); or with ``annotations``: each
            object that is no crowd is a segment, and of two that overlap the smaller one lies on top; or with
            ``sem_seg_file_name`` and the ``rules`` of its data set: all pixels of a class are one segment.
        size: height and width of the picture, pixels.

    Returns:
        The id map, (H, W) RGB with ``id = R + 256·G + 65536·B``, and the segments: ``id`` and ``category_id``.

    Raises:
        DataError: a file is missing, cannot be decoded, or does not fit the picture.
    """
    if "pan_seg_file_name" in record:
        ids = read_image(record["pan_seg_file_name"])
        check_size(record["pan_seg_file_name"], ids, size)
        return ids, [segment for segment in record["segments_info"] if not segment["iscrowd"]]
    numbers, segments = _of_objects(record, size) if "annotations" in record else _of_labels(record, size)
    return Image.fromarray(id_to_rgb(numbers)), segments


def _of_objects(record: Record, size: tuple[int, int]) -> tuple[np.ndarray, list[Segment]]:
    objects = [item for item in record["annotations"] if not item["iscrowd"]]
    masks = [mask_of(item["segmentation"], size, record["file_name"]) for item in objects]
    numbers = np.full(size, VOID_ID, dtype=np.int32)
    for place in largest_first(masks):
        numbers[masks[place]] = place + 1
    return numbers, [{"id": place, "category_id": item["category_id"]} for place, item in enumerate(objects, start=1)]


def _of_labels(record: Record, size: tuple[int, int]) -> tuple[np.ndarray, list[Segment]]:
    classes = of_labels(record, record["rules"], size)
    numbers = np.where(classes == UNLABELLED, VOID_ID, classes + 1)
    shown = np.unique(classes[classes != UNLABELLED]).tolist()
    return numbers, [{"id": label + 1, "category_id": label} for label in shown]
