"""COCO instance format: one JSON of pictures, objects and categories → records."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from frozenseg.data.formats.annotation_file import check_paths, read_annotations, refuse_doubles
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError


def load_coco_instances(metadata: Metadata) -> list[Record]:
    """Read a data set in COCO instance format.

    Args:
        metadata: with ``image_root``, ``json_file``, ``thing_dataset_id_to_contiguous_id`` and ``prepare_command``.

    Returns:
        One record a picture, in the order of the file, with ``annotations`` of contiguous category ids.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    return load_objects(metadata, _describe)


def load_objects(metadata: Metadata, describe: Callable[[Path, dict[str, Any]], Record]) -> list[Record]:
    """Read pictures and their objects; see :func:`load_coco_instances`.

    Args:
        metadata: of the data set.
        describe: image folder and entry of a picture in the JSON → ``file_name`` and what else the record has beside
            ``image_id``, ``height``, ``width`` and ``annotations``.
    """
    check_paths(metadata, json_file="annotation file", image_root="image folder")
    content = read_annotations(metadata.json_file)
    try:
        refuse_doubles(metadata, metadata.json_file, [image["id"] for image in content["images"]])
        records = {
            image["id"]: {
                **describe(Path(metadata.image_root), image),
                "image_id": image["id"],
                "height": image["height"],
                "width": image["width"],
                "annotations": [],
            }
            for image in content["images"]
        }
        contiguous_ids = metadata.thing_contiguous_ids
        for annotation in content["annotations"]:
            converted = _convert_object(metadata, contiguous_ids, annotation)
            records[annotation["image_id"]]["annotations"].append(converted)
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{metadata.json_file} is not in the format of {metadata.name}: {error} is missing or has no counterpart; "
            f"{metadata.prepare_command}."
        ) from error
    return list(records.values())


def _describe(folder: Path, image: dict[str, Any]) -> Record:
    return {"file_name": str(folder / image["file_name"])}


def _convert_object(
    metadata: Metadata, contiguous_ids: Mapping[int, int], annotation: dict[str, Any]
) -> dict[str, Any]:
    """Return an object of the JSON with its contiguous category id."""
    category = annotation["category_id"]
    if category not in contiguous_ids:
        raise DataError(
            f"{metadata.json_file}: object {annotation['id']} has category {category}, which is not one of "
            f"{metadata.name}; {metadata.prepare_command}."
        )
    return {
        "category_id": contiguous_ids[category],
        "iscrowd": annotation.get("iscrowd", 0),
        "bbox": annotation["bbox"],
        "segmentation": annotation["segmentation"],
    }
