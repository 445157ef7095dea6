"""Are the files of a data set there? Asked before a long run starts."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.formats.annotation_file import check_paths, read_annotations
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError

FILE_KEYS = ("file_name", "pan_seg_file_name", "sem_seg_file_name", "instance_file_name")


def validate_records(
    records: Sequence[Record], metadata: Metadata, keys: Sequence[str] = FILE_KEYS, sample: int = 200
) -> None:
    """Check that the files of the first record, the last one and a sample between them exist.

    Args:
        records: the data set.
        metadata: with ``name`` and ``prepare_command`` for the message.
        keys: which files a record must have if it names them.
        sample: the most records to look at.

    Raises:
        DataError: there are no records, or a file is missing; says which and how to prepare the data set.
    """
    help_text = metadata.prepare_command
    if not records:
        raise DataError(f"{metadata.name} has no images; {help_text}.")
    step = max(1, -(-len(records) // sample))
    for record in [*records[::step], records[-1]]:
        for key in keys:
            path = record.get(key)
            if path is not None and not Path(path).is_file():
                image = record.get("image_id", "without a number")
                raise DataError(f"{metadata.name}: {path} ({key} of image {image}) is missing; {help_text}.")


def validate_objects(records: Sequence[Record], metadata: Metadata) -> None:
    """Check the file of objects beside a panoptic data set; average precision is counted by it, at the end of a run.

    Args:
        records: the data set; those that hold their objects come from that file, which was looked into then.
        metadata: with ``json_file``, None where there are no objects to compare with.

    Raises:
        DataError: the file is missing, is not in COCO's format, lacks a picture, or has an unknown category.
    """
    if not metadata.json_file or any("annotations" in record for record in records):
        return
    check_paths(metadata, json_file="file of instance annotations")
    content = read_annotations(metadata.json_file)
    try:
        images = {image["id"] for image in content["images"]}
        objects = [item["category_id"] for item in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"The instance annotations {metadata.json_file} are not in COCO's format: {error} is missing or wrong; "
            f"{metadata.prepare_command}."
        ) from error
    things = metadata.thing_contiguous_ids
    strange = [f"have the category {number}, which is no thing" for number in objects if number not in things]
    lost = [f"lack image {record['image_id']}" for record in records if record["image_id"] not in images]
    if wrong := [*lost, *strange]:
        raise DataError(
            f"The instance annotations {metadata.json_file} {wrong[0]} of {metadata.name}; {metadata.prepare_command}."
        )
