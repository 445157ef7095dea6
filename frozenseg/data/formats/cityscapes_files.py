"""Cityscapes: pictures and ground truth in folders of cities, files named ``<city>_<sequence>_<frame>_…`` → records."""

from pathlib import Path

from frozenseg.data.formats.annotation_file import check_paths, read_annotations, refuse_doubles
from frozenseg.data.formats.coco_panoptic import segment_converter
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError

IMAGE, LABELS, INSTANCES = "_leftImg8bit.png", "_gtFine_labelTrainIds.png", "_gtFine_instanceIds.png"


def load_cityscapes_semantic(metadata: Metadata) -> list[Record]:
    """Read a split for semantic segmentation.

    Args:
        metadata: with ``image_root``, ``sem_seg_root`` (the split's folder of ``gtFine``), ``prepare_command``.

    Returns:
        One record a picture, by name, with ``sem_seg_file_name`` and ``instance_file_name``.

    Raises:
        DataError: a folder is missing, or holds no picture.
    """
    return _records(metadata, sem_seg_file_name=LABELS, instance_file_name=INSTANCES)


def load_cityscapes_instances(metadata: Metadata) -> list[Record]:
    """Read a split for instance segmentation; as :func:`load_cityscapes_semantic`, with ``instance_file_name`` only."""
    return _records(metadata, instance_file_name=INSTANCES)


def load_cityscapes_panoptic(metadata: Metadata) -> list[Record]:
    """Read a split for panoptic segmentation and all else.

    Args:
        metadata: as for :func:`load_cityscapes_semantic`, with ``panoptic_root``, ``panoptic_json``,
            ``stuff_dataset_id_to_contiguous_id`` and ``thing_dataset_id_to_contiguous_id``.

    Returns:
        One record a picture, by name, with ``sem_seg_file_name``, ``instance_file_name``, ``pan_seg_file_name`` and
        ``segments_info``.

    Raises:
        DataError: a folder or file is missing, or a picture is not annotated.
    """
    records = _records(metadata, sem_seg_file_name=LABELS, instance_file_name=INSTANCES)
    check_paths(metadata, panoptic_json="annotation file", panoptic_root="folder of panoptic PNGs")
    content = read_annotations(metadata.panoptic_json)
    try:
        refuse_doubles(metadata, metadata.panoptic_json, [entry["image_id"] for entry in content["annotations"]])
        annotations = {entry["image_id"]: entry for entry in content["annotations"]}
        convert = segment_converter(metadata)
        for record in records:
            entry = annotations[record["image_id"]]
            record["pan_seg_file_name"] = str(Path(metadata.panoptic_root) / entry["file_name"])
            record["segments_info"] = [convert(segment) for segment in entry["segments_info"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{metadata.panoptic_json} does not fit the pictures of {metadata.image_root}: {error} is missing; "
            f"{metadata.prepare_command}."
        ) from error
    return records


def _records(metadata: Metadata, **endings: str) -> list[Record]:
    """Return a record a picture, with a file of the ground truth for each field, by its ending."""
    check_paths(metadata, image_root="image folder", sem_seg_root="ground-truth folder")
    images = sorted(Path(metadata.image_root).glob(f"*/*{IMAGE}"))
    if not images:
        raise DataError(
            f"{metadata.name}: no picture <city>/…{IMAGE} in {metadata.image_root}; {metadata.prepare_command}."
        )
    records = []
    for image in images:
        name = image.name.removesuffix(IMAGE)
        truth = Path(metadata.sem_seg_root) / image.parent.name / name
        files = {field: f"{truth}{ending}" for field, ending in endings.items()}
        records.append({"file_name": str(image), "image_id": name, **files})
    return records
