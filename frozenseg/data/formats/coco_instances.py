"""COCO instance format: one JSON of images, objects and categories → records."""

from collections.abc import Callable, Mapping
from typing import Any

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


def load_coco_instances(metadata: Metadata) -> list[Record]:
    """Read a data set in COCO instance format.

    Args:
        metadata: with ``image_root``, ``json_file``, ``vocabulary``, ``category_ids`` and ``prepare_command``.

    Returns:
        One record for each image, in the order of the file, with ``annotations`` of contiguous category ids.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    return load_objects(metadata, _image_fields)


def load_objects(metadata: Metadata, image_fields: Callable[[ImagePaths, JsonObject], Record]) -> list[Record]:
    """Read images and their objects; see :func:`load_coco_instances`.

    Args:
        metadata: of the data set.
        image_fields: paths in the image folder and entry of an image in the JSON → ``file_name`` and further fields of
            the record besides ``image_id``, ``height``, ``width`` and ``annotations``.
    """
    json_file = existing_path(metadata, "json_file", "annotation file")
    paths = ImagePaths(existing_path(metadata, "image_root", "image folder"), json_file)
    content, contiguous_ids = read_annotations(json_file), metadata.thing_contiguous_ids
    refuse_other_categories(metadata, json_file, content.get("categories"))
    try:
        refuse_repeated_images(metadata, json_file, [image["id"] for image in content["images"]])
        records: dict[Any, Record] = {
            image["id"]: {
                **image_fields(paths, image),
                "image_id": image["id"],
                "height": image["height"],
                "width": image["width"],
                "annotations": [],
            }
            for image in content["images"]
        }
        for annotation in content["annotations"]:
            converted = _convert_object(metadata, contiguous_ids, annotation)
            records[annotation["image_id"]]["annotations"].append(converted)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{json_file} is not in the format of {metadata.name}: {error} is missing or has no counterpart; "
            f"{metadata.repair_advice}."
        ) from error
    paths.report()
    return list(records.values())


def _image_fields(paths: ImagePaths, image: JsonObject) -> Record:
    return {"file_name": paths.resolve(image["file_name"])}


def _convert_object(metadata: Metadata, contiguous_ids: Mapping[int, int], annotation: JsonObject) -> JsonObject:
    """Return an object of the JSON with its contiguous category id."""
    category = annotation["category_id"]
    if category not in contiguous_ids:
        raise DataError(
            f"{metadata.json_file}: object {annotation['id']} has category {category}, which is not one of "
            f"{metadata.name}; {metadata.repair_advice}."
        )
    return {
        "category_id": contiguous_ids[category],
        "iscrowd": annotation.get("iscrowd", 0),
        "bbox": annotation["bbox"],
        "segmentation": annotation["segmentation"],
    }
