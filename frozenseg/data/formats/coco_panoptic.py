"""COCO panoptic format: one JSON of segments and one PNG of segment ids a picture → records."""

import json
from pathlib import Path
from typing import Any

from frozenseg.data.catalog import Metadata, Record
from frozenseg.errors import DataError


def load_coco_panoptic(metadata: Metadata) -> list[Record]:
    """Read a data set in COCO panoptic format.

    Args:
        metadata: with ``image_root``, ``panoptic_root``, ``panoptic_json``, ``stuff_dataset_id_to_contiguous_id``,
            ``thing_dataset_id_to_contiguous_id``, ``prepare_command``; ``sem_seg_root`` may be None.

    Returns:
        One record an annotated picture, in the order of the file, with contiguous category ids.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    _check_paths(metadata)
    content = _read_json(Path(metadata.panoptic_json))
    try:
        images = {image["id"]: image for image in content["images"]}
        return [_make_record(metadata, images[entry["image_id"]], entry) for entry in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{metadata.panoptic_json} is not in COCO panoptic format: {error} is missing or has no counterpart; "
            f"{metadata.prepare_command}."
        ) from error


def _check_paths(metadata: Metadata) -> None:
    for path, kind in (
        (metadata.panoptic_json, "annotation file"),
        (metadata.image_root, "image folder"),
        (metadata.panoptic_root, "folder of panoptic PNGs"),
    ):
        if not Path(path).exists():
            raise DataError(f"{metadata.name}: the {kind} {path} does not exist; {metadata.prepare_command}.")


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The annotation file {path} cannot be read as JSON ({error}): get it anew.") from error


def _make_record(metadata: Metadata, image: dict[str, Any], annotation: dict[str, Any]) -> Record:
    png = annotation["file_name"]
    record = {
        "file_name": str(Path(metadata.image_root) / image["file_name"]),
        "image_id": image["id"],
        "height": image["height"],
        "width": image["width"],
        "pan_seg_file_name": str(Path(metadata.panoptic_root) / png),
        "segments_info": [_convert_segment(metadata, segment) for segment in annotation["segments_info"]],
    }
    if metadata.get("sem_seg_root"):
        record["sem_seg_file_name"] = str(Path(metadata.sem_seg_root) / png)
    return record


def _convert_segment(metadata: Metadata, segment: dict[str, Any]) -> dict[str, Any]:
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
