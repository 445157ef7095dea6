"""Reader of the objects of COCO instance annotations (``annotations`` of the JSON), checked entry by entry.

Training, validation and scoring read objects here. A value with one meaning is read as that meaning and counted
(:class:`Findings`); an object without a mask is left out and counted; any other value is refused with the object's id.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

from frozenseg.errors import shown
from frozenseg.structures.coco_file import PixelSize
from frozenseg.structures.coco_values import JsonObject, existing_key, field_text, read_flag, refused
from frozenseg.structures.findings import Findings, Oddity
from frozenseg.structures.record import ImageId
from frozenseg.structures.rle import MAX_PIXELS, whole_number
from frozenseg.structures.segmentation import Segmentation, read_segmentation

MAX_CROWDS = 0.1  # of the objects, without a warning; COCO has 0.01


class CocoObject(NamedTuple):
    """Checked object of an annotation file.

    Attributes:
        name: for messages, such as ``object 17``.
        image_id: id of its image, as the image has it.
        category_id: id of its category, as the category has it.
        iscrowd: True for a region of several objects.
        segmentation: its mask; never without one.
        area: annotated number of pixels; None if the file has no valid one.
        entry: the JSON object.
    """

    name: str
    image_id: ImageId
    category_id: int
    iscrowd: bool
    segmentation: Segmentation
    area: float | None
    entry: JsonObject


def read_objects(
    entries: Sequence[JsonObject],
    sizes: Mapping[ImageId, PixelSize | None],
    categories: Collection[int],
    path: str,
    expected_categories: str,
) -> tuple[list[CocoObject], Findings]:
    """Read the objects of an annotation file.

    Args:
        entries: ``annotations`` of the JSON, see :func:`frozenseg.structures.coco_file.entries_of`.
        sizes: height and width of each image, None if they are not known.
        categories: ids of the categories.
        path: of the file.
        expected_categories: name of the list of categories, for messages.

    Returns:
        The objects with a mask in the order of the file, and the deviations from COCO's format.

    Raises:
        DataError: an object is invalid; the message has its id.
    """
    findings = Findings(path, "objects", len(entries))
    objects: list[CocoObject] = []
    ids: set[int | str] = set()
    for number, entry in enumerate(entries, start=1):
        name = _name(entry, number, ids, findings)
        if "segments_info" in entry:
            raise refused(path, "it is in COCO panoptic format (segments_info), expected objects with a segmentation")
        image = existing_key(entry.get("image_id"), sizes)
        if image is None:
            raise refused(path, f"{name} {field_text(entry, 'image_id')}, expected one of its images")
        category = existing_key(entry.get("category_id"), categories)
        if category is None:
            problem = f"{name} {field_text(entry, 'category_id')}, expected one of {expected_categories}"
            raise refused(path, problem)
        _count_changes(entry, image, category, name, findings)
        checked = _read_object(entry, (name, image, category), sizes[image], findings)
        if checked is not None:
            objects.append(checked)
    return _without_brush_crowds(objects, findings), findings


def _name(entry: JsonObject, number: int, ids: set[int | str], findings: Findings) -> str:
    """Return the name of an object; counts ids that are missing or repeated."""
    identity = entry["id"] if isinstance(entry.get("id"), str) else whole_number(entry.get("id"))
    if identity is None:
        name = f"object number {number} in the file"
        findings.add(Oddity.ID_MISSING, name)
        return name
    name = f"object {shown(identity)}"
    if identity in ids:
        findings.add(Oddity.ID_REPEATED, name)
    ids.add(identity)
    return name


def _count_changes(entry: JsonObject, image: ImageId, category: int, name: str, findings: Findings) -> None:
    if entry["image_id"] != image:
        findings.add(Oddity.IMAGE_ID, name)
    if entry["category_id"] != category:
        findings.add(Oddity.CATEGORY_ID, name)


def _read_object(
    entry: JsonObject, key: tuple[str, ImageId, int], size: PixelSize | None, findings: Findings
) -> CocoObject | None:
    """Return an object; None if it has no mask, which is counted."""
    name, image, category = key
    crowd = entry.get("iscrowd", 0)
    try:
        iscrowd = read_flag(crowd, "iscrowd")
        segmentation = read_segmentation(entry.get("segmentation"), size)
    except ValueError as error:
        raise refused(findings.path, f"{name} cannot be read: {error}") from error
    if isinstance(crowd, str):
        findings.add(Oddity.CROWD_FLAG, name)
    for repair in segmentation.repairs:
        findings.add(repair, name)
    if segmentation.no_mask is not None:
        findings.leave_out(segmentation.no_mask, name, image)
        return None
    return CocoObject(name, image, category, iscrowd, segmentation, _area(entry.get("area"), size), entry)


def _area(value: Any, size: PixelSize | None) -> float | None:
    """Return a valid area, otherwise None; an object with a mask has an area above 0, in its image."""
    largest = MAX_PIXELS if size is None else size[0] * size[1]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return value if is_number and 0 < value <= largest else None


def _without_brush_crowds(objects: list[CocoObject], findings: Findings) -> list[CocoObject]:
    """Return ordinary objects if every object is a crowd with uncompressed run lengths: CVAT's brush masks."""
    crowds = [item for item in objects if item.iscrowd and _is_uncompressed(item.entry["segmentation"])]
    all_crowds = bool(crowds) and len(crowds) == len(objects)
    if all_crowds or len(crowds) > MAX_CROWDS * len(objects):
        for item in crowds:
            findings.add(Oddity.BRUSH if all_crowds else Oddity.CROWD, item.name)
    if not all_crowds:
        return objects
    return [item._replace(iscrowd=False) for item in objects]


def _is_uncompressed(segmentation: Any) -> bool:
    return isinstance(segmentation, dict) and isinstance(segmentation["counts"], list)
