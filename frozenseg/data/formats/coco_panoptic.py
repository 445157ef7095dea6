"""COCO panoptic format: one JSON of segments and one PNG of segment ids for each image → records."""

from collections.abc import Collection
from pathlib import Path
from typing import Any

from frozenseg.data.formats.annotation_file import existing_path, read_annotations
from frozenseg.data.formats.image_paths import ImagePaths
from frozenseg.data.known_categories import refuse_other_categories
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.coco_file import entries_of, read_images
from frozenseg.structures.coco_values import JsonObject, existing_key, field_text, number_in, read_flag, refused
from frozenseg.structures.findings import Findings
from frozenseg.structures.json_files import garbage_collection_paused
from frozenseg.structures.panoptic import check_segment_ids
from frozenseg.structures.record import ImageId, Record
from frozenseg.structures.rle import whole_number

logger = get_logger(__name__)


@garbage_collection_paused()
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
    content, segments = read_annotations(panoptic_json), SegmentReader(metadata)
    refuse_other_categories(metadata, panoptic_json, content.get("categories"))
    images, findings = read_images(content, str(panoptic_json))
    entries = entries_by_image(content, images, panoptic_json)
    try:
        records = [
            {
                **_image_fields(metadata, image_paths, images[image], entry.get("file_name")),
                **({} if label_paths is None else {"sem_seg_file_name": label_paths.resolve(entry.get("file_name"))}),
                "pan_seg_file_name": png_paths.resolve(entry.get("file_name")),
                "segments_info": segments.read(entry, image),
            }
            for image, entry in entries.items()
        ]
    except KeyError as error:
        raise refused(str(panoptic_json), f"an image has no {error}, expected images with file_name") from error
    for paths in (image_paths, png_paths, label_paths):
        if paths is not None:
            paths.report()
    _report(findings, len(images) - len(records))
    return records


def entries_by_image(content: JsonObject, images: Collection[ImageId], path: Path) -> dict[ImageId, JsonObject]:
    """Return the entries of ``annotations`` by image, in the order of the file.

    Args:
        content: the JSON.
        images: ids of the images.
        path: of the file, for messages.

    Raises:
        DataError: an entry has no known image, or an image has two entries.
    """
    entries: dict[ImageId, JsonObject] = {}
    for number, entry in enumerate(entries_of(content, "annotations", str(path)), start=1):
        image = existing_key(entry.get("image_id"), images)
        if image is None:
            raise refused(
                str(path), f"entry {number} of annotations {field_text(entry, 'image_id')}, expected one of its images"
            )
        if image in entries:
            raise refused(str(path), f"image {image} is listed twice in annotations, expected one entry for each image")
        entries[image] = entry
    return entries


def _report(findings: Findings, unannotated: int) -> None:
    for sentence in findings.sentences():
        warn_once(logger, "%s", sentence)
    if unannotated:
        message = "%d of %d images of %s have no entry in annotations: they are left out."
        warn_once(logger, message, unannotated, findings.total, findings.path)


def _image_fields(metadata: Metadata, paths: ImagePaths, image: JsonObject, png: Any) -> Record:
    suffix = metadata.image_suffix
    fields: Record = {
        "file_name": paths.resolve(Path(str(png)).stem + suffix if suffix else image["file_name"]),
        "image_id": image["id"],
    }
    fields |= {side: image[side] for side in ("height", "width") if side in image}
    return fields


class SegmentReader:
    """Reader of ``segments_info``: checked segments with contiguous category ids.

    Args:
        metadata: with ``panoptic_json``, ``vocabulary`` and ``category_ids``.
    """

    def __init__(self, metadata: Metadata) -> None:
        self._path, self._name = str(metadata.panoptic_json), metadata.name
        self._contiguous_ids, self._isthing = metadata.contiguous_ids, metadata.vocabulary.isthing

    def read(self, entry: JsonObject, image: ImageId) -> list[JsonObject]:
        """Return the segments of an image; one without a valid area has none.

        Args:
            entry: of the image, in ``annotations``.
            image: id of the image, for messages.

        Raises:
            DataError: a segment has no valid id, category or iscrowd, or two segments have the same id.
        """
        segments = entries_of(entry, "segments_info", f"{self._path}, image {image}")
        numbers = [number_in(segment.get("id")) for segment in segments]
        ids = [
            segment.get("id") if number is None else number for segment, number in zip(segments, numbers, strict=True)
        ]
        check_segment_ids(ids, f"{self._path}, image {image}")
        return [self._convert(segment, identity, image) for segment, identity in zip(segments, ids, strict=True)]

    def _convert(self, segment: JsonObject, identity: Any, image: ImageId) -> JsonObject:
        category = existing_key(segment.get("category_id"), self._contiguous_ids)
        if category is None:
            problem = f"segment {identity} {field_text(segment, 'category_id')}, expected one of {self._name}"
            raise self._refused(image, problem)
        try:
            iscrowd = int(read_flag(segment.get("iscrowd"), "iscrowd"))
        except ValueError as error:
            raise self._refused(image, f"segment {identity} cannot be read: {error}") from error
        index = self._contiguous_ids[category]
        converted = {"id": identity, "category_id": index, "isthing": self._isthing[index], "iscrowd": iscrowd}
        area = whole_number(segment.get("area"))
        if area is not None and area > 0:
            converted["area"] = area
        if isinstance(segment.get("bbox"), list):
            converted["bbox"] = segment["bbox"]
        return converted

    def _refused(self, image: ImageId, problem: str) -> DataError:
        return refused(self._path, f"image {image}: {problem}")
