"""COCO instance format: one JSON of images, objects and categories → records."""

from collections.abc import Callable, Mapping

from frozenseg.data.formats.annotation_file import existing_path, read_annotations
from frozenseg.data.formats.image_paths import ImagePaths
from frozenseg.data.known_categories import refuse_other_categories
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.coco_file import entries_of, image_size, read_images
from frozenseg.structures.coco_objects import CocoObject, read_objects
from frozenseg.structures.coco_values import JsonObject
from frozenseg.structures.json_files import garbage_collection_paused
from frozenseg.structures.record import Record

logger = get_logger(__name__)


def load_coco_instances(metadata: Metadata) -> list[Record]:
    """Read a data set in COCO instance format.

    Args:
        metadata: with ``image_root``, ``json_file``, ``vocabulary``, ``category_ids`` and ``prepare_command``.

    Returns:
        One record for each image, in the order of the file, with ``annotations`` of contiguous category ids;
        ``without_mask`` has the names of objects that are left out, if there are any.

    Raises:
        DataError: a file or folder is missing, or the JSON is not of this format.
    """
    return load_objects(metadata, _image_fields)


@garbage_collection_paused()
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
    images, image_findings = read_images(content, str(json_file))
    sizes = {image: image_size(entry) for image, entry in images.items()}
    entries = entries_of(content, "annotations", str(json_file))
    objects, findings = read_objects(entries, sizes, contiguous_ids, str(json_file), f"the things of {metadata.name}")
    try:
        records = {image: _record(image_fields(paths, entry), entry) for image, entry in images.items()}
    except KeyError as error:
        raise DataError(f"{json_file} is not in the format of {metadata.name}: an image has no {error}.") from error
    for item in objects:
        records[item.image_id]["annotations"].append(_annotation(item, contiguous_ids))
    for image, names in findings.without_mask.items():
        records[image]["without_mask"] = names
    paths.report()
    for sentence in (*image_findings.sentences(), *findings.sentences()):
        warn_once(logger, "%s", sentence)
    return list(records.values())


def _record(fields: Record, entry: JsonObject) -> Record:
    size: Record = {side: entry[side] for side in ("height", "width") if side in entry}
    return {**fields, "image_id": entry["id"], **size, "annotations": []}


def _image_fields(paths: ImagePaths, image: JsonObject) -> Record:
    return {"file_name": paths.resolve(image["file_name"])}


def _annotation(item: CocoObject, contiguous_ids: Mapping[int, int]) -> JsonObject:
    """Return an object of a record, with its contiguous category id."""
    return {
        "id": item.entry.get("id"),
        "category_id": contiguous_ids[item.category_id],
        "iscrowd": int(item.iscrowd),
        "segmentation": item.segmentation.value,
    }
