"""Cityscapes format: images and ground truth in folders of cities, ``<city>_<sequence>_<frame>_…`` → records."""

from pathlib import Path

from frozenseg.data.formats.annotation_file import existing_path, read_annotations, refuse_repeated_images
from frozenseg.data.formats.coco_panoptic import SegmentReader
from frozenseg.data.known_categories import refuse_other_categories
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.structures.coco_file import entries_of
from frozenseg.structures.record import Record

IMAGE_ENDING = "_leftImg8bit.png"
LABEL_ENDING, INSTANCE_ENDING = "_gtFine_labelTrainIds.png", "_gtFine_instanceIds.png"


def load_cityscapes_semantic(metadata: Metadata) -> list[Record]:
    """Read a split for semantic segmentation.

    Args:
        metadata: with ``image_root``, ``sem_seg_root`` (the folder of the split in ``gtFine``), ``prepare_command``.

    Returns:
        One record for each image, by name, with ``sem_seg_file_name`` and ``instance_file_name``.

    Raises:
        DataError: a folder is missing, or contains no image.
    """
    return _records(metadata, sem_seg_file_name=LABEL_ENDING, instance_file_name=INSTANCE_ENDING)


def load_cityscapes_instances(metadata: Metadata) -> list[Record]:
    """Read a split for instance segmentation; as :func:`load_cityscapes_semantic`, with ``instance_file_name`` only."""
    return _records(metadata, instance_file_name=INSTANCE_ENDING)


def load_cityscapes_panoptic(metadata: Metadata) -> list[Record]:
    """Read a split for panoptic segmentation and all other tasks.

    Args:
        metadata: as for :func:`load_cityscapes_semantic`, with ``panoptic_root``, ``panoptic_json``, ``vocabulary`` and
            ``category_ids``.

    Returns:
        One record for each image, by name, with ``sem_seg_file_name``, ``instance_file_name``, ``pan_seg_file_name``
        and ``segments_info``.

    Raises:
        DataError: a folder or file is missing, or an image is not annotated.
    """
    records = _records(metadata, sem_seg_file_name=LABEL_ENDING, instance_file_name=INSTANCE_ENDING)
    panoptic_json = existing_path(metadata, "panoptic_json", "annotation file")
    panoptic_root = existing_path(metadata, "panoptic_root", "folder of panoptic PNGs")
    content, segments = read_annotations(panoptic_json), SegmentReader(metadata)
    refuse_other_categories(metadata, panoptic_json, content.get("categories"))
    entries = entries_of(content, "annotations", str(panoptic_json))
    listed = [entry.get("image_id") for entry in entries]
    refuse_repeated_images(metadata, panoptic_json, listed)
    annotations = dict(zip(listed, entries, strict=True))
    for record in records:
        image = record["image_id"]
        if image not in annotations:
            raise DataError(
                f"{panoptic_json} does not fit the images of {metadata.image_root}: '{image}' is missing; "
                f"{metadata.prepare_command}."
            )
        record["pan_seg_file_name"] = str(panoptic_root / str(annotations[image].get("file_name")))
        record["segments_info"] = segments.read(annotations[image], image)
    return records


def _records(metadata: Metadata, **endings: str) -> list[Record]:
    """Return one record for each image, with a file of the ground truth for each field, by its ending."""
    image_root = existing_path(metadata, "image_root", "image folder")
    ground_truth_root = existing_path(metadata, "sem_seg_root", "ground-truth folder")
    images = sorted(image_root.glob(f"*/*{IMAGE_ENDING}"))
    if not images:
        raise DataError(
            f"{metadata.name}: no image <city>/…{IMAGE_ENDING} in {image_root}; {metadata.prepare_command}."
        )
    return [_record(image, ground_truth_root, endings) for image in images]


def _record(image: Path, ground_truth_root: Path, endings: dict[str, str]) -> Record:
    name = image.name.removesuffix(IMAGE_ENDING)
    stem = ground_truth_root / image.parent.name / name
    files = {field: f"{stem}{ending}" for field, ending in endings.items()}
    return {"file_name": str(image), "image_id": name, **files}
