"""COCO panoptic format: one JSON of segments and one PNG of segment ids a picture → records."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from frozenseg.data.formats.annotation_file import check_paths, read_annotations, refuse_doubles
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError

JsonObject = dict[str, Any]
SegmentConverter = Callable[[JsonObject], JsonObject]


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
        convert = segment_converter(metadata)
        return [_make_record(metadata, images[entry["image_id"]], entry, convert) for entry in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{metadata.panoptic_json} is not in COCO panoptic format: {error} is missing or has no counterpart; "
            f"{metadata.prepare_command}."
        ) from error


def _make_record(metadata: Metadata, image: JsonObject, annotation: JsonObject, convert: SegmentConverter) -> Record:
    png = annotation["file_name"]
    suffix = metadata.image_suffix
    record = {
        "file_name": str(Path(metadata.image_root) / (Path(png).stem + suffix if suffix else image["file_name"])),
        "image_id": image["id"],
        "height": image["height"],
        "width": image["width"],
        "pan_seg_file_name": str(Path(metadata.panoptic_root) / png),
        "segments_info": [convert(segment) for segment in annotation["segments_info"]],
    }
    if metadata.sem_seg_root:
        record["sem_seg_file_name"] = str(Path(metadata.sem_seg_root) / png)
    return record


def segment_converter(metadata: Metadata) -> SegmentConverter:
    """Return the function that converts a segment of the JSON into one of a record, with a contiguous category id.

    It raises DataError if the data set does not have the category.
    """
    contiguous_ids, isthing = metadata.contiguous_ids, metadata.vocabulary.isthing

    def convert(segment: JsonObject) -> JsonObject:
        category = segment["category_id"]
        if category not in contiguous_ids:
            raise DataError(
                f"{metadata.panoptic_json}: segment {segment['id']} has category {category}, which is not one of "
                f"{metadata.name}; {metadata.prepare_command}."
            )
        index = contiguous_ids[category]
        return {
            "id": segment["id"],
            "category_id": index,
            "isthing": isthing[index],
            "iscrowd": segment.get("iscrowd", 0),
            "area": segment["area"],
            "bbox": segment["bbox"],
        }

    return convert
