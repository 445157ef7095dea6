"""Checks that the files of a data set exist and that its instance annotations can be read, before a long run."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.formats.annotation_file import existing_path, read_annotations
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.structures.record import Record

FILE_FIELDS = ("file_name", "pan_seg_file_name", "sem_seg_file_name", "instance_file_name")


def validate_records(
    records: Sequence[Record], metadata: Metadata, fields: Sequence[str] = FILE_FIELDS, sample: int = 200
) -> None:
    """Check that the files of a sample of records exist, including the first and the last one.

    Args:
        records: of the data set.
        metadata: with ``name`` and ``prepare_command`` for the message.
        fields: record fields with paths of files; a record may lack a field.
        sample: largest number of records to check, besides the last one.

    Raises:
        DataError: there are no records, or a file is missing; the message has its path and an advice.
    """
    if not records:
        raise DataError(f"{metadata.name} has no images; {metadata.prepare_command}.")
    step = max(1, -(-len(records) // sample))
    for record in [*records[::step], records[-1]]:
        for field in fields:
            path = record.get(field)
            if path is not None and not Path(path).is_file():
                image = record.get("image_id", "without a number")
                raise DataError(
                    f"{metadata.name}: {path} ({field} of image {image}) is missing; {metadata.prepare_command}."
                )


def validate_objects(records: Sequence[Record], metadata: Metadata) -> None:
    """Check the file of instance annotations of a panoptic data set, which is needed for AP at the end of a run.

    Args:
        records: records of the data set; if they have ``annotations``, they were read from this file, and nothing is
            checked again.
        metadata: with ``json_file``, None if there are no instance annotations.

    Raises:
        DataError: the file is missing, is not in COCO's format, lacks an image, or has an unknown category.
    """
    if not metadata.json_file or any("annotations" in record for record in records):
        return
    path = existing_path(metadata, "json_file", "file of instance annotations")
    content = read_annotations(path)
    try:
        images = {image["id"] for image in content["images"]}
        categories = [item["category_id"] for item in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"The instance annotations {path} are not in COCO's format: {error} is missing or wrong; "
            f"{metadata.repair_advice}."
        ) from error
    things = metadata.thing_contiguous_ids
    problems = [f"lack image {record['image_id']}" for record in records if record["image_id"] not in images]
    problems += [f"have the category {number}, which is not a thing" for number in categories if number not in things]
    if problems:
        raise DataError(f"The instance annotations {path} {problems[0]} of {metadata.name}; {metadata.repair_advice}.")
