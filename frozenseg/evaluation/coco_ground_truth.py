"""Ground truth of AP: COCO or LVIS instance annotations, checked, in the form that the evaluation packages read.

The packages match objects by their id and take id 0 for "no match", so that objects are numbered from 1 here.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.errors import MissingDataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.coco_file import PixelSize, categories_by_id, entries_of, image_size, read_images
from frozenseg.structures.coco_objects import CocoObject, read_objects
from frozenseg.structures.coco_values import JsonObject, refused
from frozenseg.structures.findings import Oddity
from frozenseg.structures.json_files import garbage_collection_paused, read_json
from frozenseg.structures.record import ImageId
from frozenseg.structures.rle import read_rle

logger = get_logger(__name__)


class CocoGroundTruth(NamedTuple):
    """Checked instance annotations.

    Attributes:
        path: of the file.
        images: entries by id, in the order of the file.
        categories: entries by id, in the order of the file.
        annotations: objects with a mask in the order of the file: ``id`` from 1 on, ``image_id``, ``category_id``,
            ``iscrowd`` 0 or 1, ``segmentation`` (polygons or compressed run lengths), ``area``, and all other fields.
        sizes: height and width of each image; None for an image without an object whose file has no size.
        notes: sentences about deviations from COCO's format, such as objects that are left out.
    """

    path: str
    images: dict[ImageId, JsonObject]
    categories: dict[int, JsonObject]
    annotations: list[JsonObject]
    sizes: dict[ImageId, PixelSize | None]
    notes: list[str]

    def warn(self) -> None:
        """Log the notes, once in a process."""
        for note in self.notes:
            warn_once(logger, "%s", note)


@garbage_collection_paused()
def read_coco_ground_truth(json_file: str | Path, strict: bool = False) -> CocoGroundTruth:
    """Read instance annotations for scoring.

    Args:
        json_file: the annotations.
        strict: refuse objects without a mask instead of leaving them out.

    Raises:
        DataError: the file is missing or invalid, or has no image; the message has the id of the object.
    """
    path = str(json_file)
    if not os.path.exists(json_file):
        raise MissingDataError(f"The instance annotations {path} do not exist: correct the path, or prepare the data.")
    content = read_json(json_file, "instance annotations")
    images, image_findings = read_images(content, path)
    categories, entries = categories_by_id(content, path), entries_of(content, "annotations", path)
    if not images:
        raise refused(path, "it has no images, expected a list of id, height and width")
    sizes = {image: image_size(entry) for image, entry in images.items()}
    sizes |= _sizes_of_masks(entries, [image for image, size in sizes.items() if size is None])
    objects, findings = read_objects(entries, sizes, categories, path, "its categories")
    if strict:
        findings.refuse_left_out()
    for item in objects:
        if item.area is None:
            findings.add(Oddity.AREA, item.name)
    annotations = [_annotation(number, item, sizes, path) for number, item in enumerate(objects, start=1)]
    notes = [*image_findings.sentences(), *findings.sentences()]
    return CocoGroundTruth(path, images, categories, annotations, sizes, notes)


def _sizes_of_masks(entries: list[JsonObject], images: list[ImageId]) -> dict[ImageId, PixelSize]:
    """Return height and width of images without a size, from the run lengths of their objects."""
    missing, sizes = set(images), dict[ImageId, PixelSize]()
    for entry in entries if missing else []:
        image = entry.get("image_id")
        if isinstance(image, int | str) and image in missing and isinstance(entry.get("segmentation"), dict):
            try:
                sizes.setdefault(image, read_rle(entry["segmentation"]).size)
            except ValueError:
                continue  # refused with the other objects
    return sizes


def _annotation(number: int, item: CocoObject, sizes: Mapping[ImageId, PixelSize | None], path: str) -> JsonObject:
    size = sizes[item.image_id]
    if size is None:
        raise refused(
            path,
            f"image {item.image_id} has no height and width, expected its size, which the mask of {item.name} needs",
        )
    area: Any = item.segmentation.runs(size).area() if item.area is None else item.area
    return {
        **item.entry,
        "id": number,
        "image_id": item.image_id,
        "category_id": item.category_id,
        "iscrowd": int(item.iscrowd),
        "segmentation": item.segmentation.value,
        "area": area,
    }
