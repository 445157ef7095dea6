"""COCO panoptic format: one JSON of segments and one PNG of segment ids a picture → records."""

from pathlib import Path
from typing import Any

from frozenseg.data.formats.annotation_file import check_paths, read_annotations, refuse_doubles
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError


def load_coco_panoptic(metadata: Metadata) -> list[Record]:
    """Read a data set in COCO panoptic format.

    Args:
        metadata: with ``image_root``, ``panoptic_root``, ``panoptic_json``, ``stuff_dataset_id_to_contiguous_id``,
            ``thing_dataset_id_to_contiguous_id``, ``prepare_command``; ``sem_seg_root`` may be None; with
            ``image_suffix`` pictures are called like their PNG, but for this ending, whatever the JSON calls them.

    Returns:
        One record an annotated picture, in the order of the file, with contiguous category ids.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    check_paths(
        metadata,
        panoptic_json="annotation file",
        image_root="image folder",
        panoptic_root="folder of panoptic PNGs",
    )
    content = read_annotations(metadata.panoptic_json)
    try:
        images = {image["id"]: image for image in content["images"]}
        refuse_doubles(metadata, metadata.panoptic_json, [entry["image_id"] for entry in content["annotations"]])
        return [_make_record(metadata, images[entry["image_id"]], entry) for entry in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{metadata.panoptic_json} is not in COCO panoptic format: {error} is missing or has no counterpart; "
            f"{metadata.prepare_command}."
        ) from error


def _make_record(metadata: Metadata, image: dict[str, Any], annotation: dict[str, Any]) -> Record:
    png = annotation["file_name"]
    suffix = metadata.get("image_suffix")
    record = {
        "file_name": str(Path(metadata.image_root) / (Path(png).stem + suffix if suffix else image["file_name"])),
        "image_id": image["id"],
        "height": image["height"],
        "width": image["width"],
        "pan_seg_file_name": str(Path(metadata.panoptic_root) / png),
        "segments_info": [convert_segment(metadata, segment) for segment in annotation["segments_info"]],
    }
    if metadata.get("sem_seg_root"):
        record["sem_seg_file_name"] = str(Path(metadata.sem_seg_root) / png)
    return record


def convert_segment(metadata: Metadata, segment: dict[str, Any]) -> dict[str, Any]:
    """Return a segment of the JSON with the contiguous id of its category.

    Raises:
        DataError: the data set does not know the category.
    """
    number = segment["category_id"]
    if number not in metadata.stuff_dataset_id_to_contiguous_id:
        raise DataError(
            f"{metadata.panoptic_json}: segment {segment['id']} has category {number}, which {metadata.name} does not "
            f"know; {metadata.prepare_command}."
        )
    return {
        "id": segment["id"],
        "category_id": metadata.stuff_dataset_id_to_contiguous_id[number],
        "isthing": number in metadata.thing_dataset_id_to_contiguous_id,
        "iscrowd": segment.get("iscrowd", 0),
        "area": segment["area"],
        "bbox": segment["bbox"],
    }
