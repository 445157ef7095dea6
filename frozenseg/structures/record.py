"""Records: the description of one image of a data set (Detectron2's dataset dict), and the names in it."""

from typing import Any

from frozenseg.errors import DataError

Record = dict[str, Any]
ImageId = int | str


def image_name(record: Record) -> str:
    """Return the name of a record's image in messages and logs: its ``image_id``, otherwise its path."""
    return str(record.get("image_id", record.get("file_name", "without id")))


def ground_truth_file(record: Record, field: str) -> str:
    """Return the annotation file of a record.

    Args:
        record: record of the image.
        field: key of the file, such as ``sem_seg_file_name``.

    Raises:
        DataError: the record has no such file.
    """
    path: str = record.get(field) or ""
    if not path:
        raise DataError(
            f"The record of image {image_name(record)} has no {field}: the data set lacks the ground truth that this "
            "metric needs. Switch off the output for this metric (MODEL.MASK_FORMER.TEST.*_ON)."
        )
    return path
