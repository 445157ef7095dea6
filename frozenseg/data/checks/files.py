"""Checks that the files of a data set exist and that its instance annotations can be read, before a long run."""

import os
from collections.abc import Sequence

from frozenseg.data.formats.annotation_file import existing_path, read_annotations
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.coco_file import entries_of, image_size, read_images
from frozenseg.structures.coco_objects import read_objects
from frozenseg.structures.coco_values import refused
from frozenseg.structures.record import Record

logger = get_logger(__name__)

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
        raise DataError(f"{metadata.name} has no images; {metadata.repair_advice}.")
    step = max(1, -(-len(records) // sample))
    for record in [*records[::step], records[-1]]:
        for field in fields:
            path = record.get(field)
            if path is not None and not os.path.isfile(path):
                image = record.get("image_id", "without a number")
                raise DataError(
                    f"{metadata.name}: {path} ({field} of image {image}) is missing; {metadata.prepare_command}."
                )


def validate_objects(records: Sequence[Record], metadata: Metadata, strict: bool = False) -> None:
    """Check the file of instance annotations of a panoptic data set, which is needed for AP at the end of a run.

    Args:
        records: records of the data set; if they have ``annotations``, they were read from this file, and only the
            sizes of images are checked, without which polygons can be trained on and not scored.
        metadata: with ``json_file``, None if there are no instance annotations.
        strict: refuse objects without a mask instead of leaving them out.

    Raises:
        DataError: the file is missing, is not in COCO's format, lacks an image, or has an invalid object.
    """
    if not metadata.json_file:
        return
    if any("annotations" in record for record in records):
        _refuse_without_size(records, metadata.json_file)
        return
    path = existing_path(metadata, "json_file", "file of instance annotations")
    content, name = read_annotations(path), str(path)
    images, image_findings = read_images(content, name)
    if lacking := [record["image_id"] for record in records if record["image_id"] not in images]:
        raise DataError(
            f"The instance annotations {path} lack image {lacking[0]} of {metadata.name}; {metadata.repair_advice}."
        )
    sizes = {image: image_size(entry) for image, entry in images.items()}
    things = f"the things of {metadata.name}"
    entries = entries_of(content, "annotations", name)
    _, findings = read_objects(entries, sizes, metadata.thing_contiguous_ids, name, things)
    if strict:
        findings.refuse_left_out()
    for sentence in (*image_findings.sentences(), *findings.sentences()):
        warn_once(logger, "%s", sentence)


def _refuse_without_size(records: Sequence[Record], json_file: str) -> None:
    for record in records:
        masks = [item["segmentation"] for item in record.get("annotations", ())]
        if "height" not in record and masks and not any(isinstance(mask, dict) for mask in masks):
            problem = f"image {record['image_id']} has no height and width, expected its size to score its polygons"
            raise refused(json_file, problem)


def refuse_objects_without_mask(records: Sequence[Record], metadata: Metadata) -> None:
    """Raise an error if objects of a data set were left out because they have no mask (DATASETS.STRICT).

    Raises:
        DataError: the message has their number and the first of them.
    """
    names = [name for record in records for name in record.get("without_mask", ())]
    if names:
        total = len(names) + sum(len(record.get("annotations", ())) for record in records)
        raise DataError(
            f"{len(names)} of {total} objects of {metadata.json_file} have no mask (first: {names[0]}), expected a "
            "mask for every object: add the masks, or run without --strict (DATASETS.STRICT) to leave these objects "
            "out."
        )
