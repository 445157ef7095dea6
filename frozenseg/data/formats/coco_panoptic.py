"""COCO panoptic format: one JSON of segments and one PNG of segment ids for each image → records."""

from collections.abc import Callable
from pathlib import Path

from frozenseg.data.formats.annotation_file import (
    JsonObject,
    existing_path,
    read_annotations,
    refuse_repeated_images,
)
from frozenseg.data.formats.image_paths import ImagePaths
from frozenseg.data.known_categories import refuse_other_categories
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.structures.record import Record

SegmentConverter = Callable[[JsonObject], JsonObject]


def load_coco_panoptic(metadata: Metadata) -> list[Record]:
    """Read a data set in COCO panoptic format.

    Args:
        metadata: with ``image_root``, ``panoptic_root``, ``panoptic_json``, ``vocabulary``, ``category_ids`` and
            ``prepare_command``; ``sem_seg_root`` may be None. With ``image_suffix``, an image has the name of its PNG
            except for this ending, whatever name the JSON has.

    Returns:
        One record for each annotated image, in the order of the file, with contiguous category ids.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    panoptic_json = existing_path(metadata, "panoptic_json", "annotation file")
    image_paths = ImagePaths(existing_path(metadata, "image_root", "image folder"), panoptic_json)
    panoptic_root = existing_path(metadata, "panoptic_root", "folder of panoptic PNGs")
    png_paths = ImagePaths(panoptic_root, panoptic_json, "masks=")
    label_paths = ImagePaths(metadata.sem_seg_root, panoptic_json, "labels=") if metadata.sem_seg_root else None
    content, convert = read_annotations(panoptic_json), segment_converter(metadata)
    refuse_other_categories(metadata, panoptic_json, content.get("categories"))
    try:
        images = {image["id"]: image for image in content["images"]}
        refuse_repeated_images(metadata, panoptic_json, [entry["image_id"] for entry in content["annotations"]])
        records = [
            {
                **_image_fields(metadata, image_paths, images[entry["image_id"]], entry["file_name"]),
                **({} if label_paths is None else {"sem_seg_file_name": label_paths.resolve(entry["file_name"])}),
                "pan_seg_file_name": png_paths.resolve(entry["file_name"]),
                "segments_info": [convert(segment) for segment in entry["segments_info"]],
            }
            for entry in content["annotations"]
        ]
        for paths in (image_paths, png_paths, label_paths):
            if paths is not None:
                paths.report()
        return records
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{panoptic_json} is not in COCO panoptic format: {error} is missing or has no counterpart; "
            f"{metadata.repair_advice}."
        ) from error


def _image_fields(metadata: Metadata, paths: ImagePaths, image: JsonObject, png: str) -> Record:
    suffix = metadata.image_suffix
    return {
        "file_name": paths.resolve(Path(png).stem + suffix if suffix else image["file_name"]),
        "image_id": image["id"],
        "height": image["height"],
        "width": image["width"],
    }


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
                f"{metadata.name}; {metadata.repair_advice}."
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
