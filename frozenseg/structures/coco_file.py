"""Lists of a JSON in COCO's format: its images and categories, checked entry by entry."""

from typing import Any

from frozenseg.errors import shown
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.coco_values import JsonObject, field_text, number_in, refused
from frozenseg.structures.findings import Findings, ImageOddity
from frozenseg.structures.record import ImageId
from frozenseg.structures.rle import MAX_PIXELS, whole_number

logger = get_logger(__name__)
PixelSize = tuple[int, int]  # height, width


def entries_of(content: Any, field: str, path: str) -> list[JsonObject]:
    """Return a list of objects of a JSON in COCO's format.

    Args:
        content: the JSON.
        field: ``images``, ``categories`` or ``annotations``.
        path: of the file, for messages.

    Raises:
        DataError: the list is missing, or has an entry that is no JSON object.
    """
    if not isinstance(content, dict):
        raise refused(path, f"it is not in COCO's format: it is {shown(content)}, expected a JSON object at the top")
    entries = content.get(field)
    if not isinstance(entries, list):
        kind = "is missing" if field not in content else f"is {shown(entries)}"
        raise refused(path, f"it is not in COCO's format: {field} {kind}, expected a list")
    for number, entry in enumerate(entries, start=1):
        if not isinstance(entry, dict):
            raise refused(path, f"entry {number} of {field} is {shown(entry)}, expected a JSON object")
    return entries


def read_images(content: Any, path: str) -> tuple[dict[ImageId, JsonObject], Findings]:
    """Read the images of an annotation file.

    Args:
        content: the JSON.
        path: of the file.

    Returns:
        The entries by id, in the order of the file, with whole numbers as ``height`` and ``width`` or without both; and
        the deviations from COCO's format.

    Raises:
        DataError: an image has no id or an invalid size, or two different images have the same id.
    """
    entries = entries_of(content, "images", path)
    findings = Findings(path, "images", len(entries))
    images: dict[ImageId, JsonObject] = {}
    files: set[str] = set()
    for number, entry in enumerate(entries, start=1):
        image = _image_id(entry, number, path)
        name = f"image {shown(image)}"
        checked = _with_size({**entry, "id": image}, name, path)
        if image in images:
            if checked != images[image]:
                raise refused(path, f"{name} is listed twice, with different entries, expected distinct ids")
            findings.add(ImageOddity.REPEATED, name)
            continue
        if "height" not in checked:
            findings.add(ImageOddity.NO_SIZE, name)
        file = entry.get("file_name")
        if isinstance(file, str) and file in files:
            findings.add(ImageOddity.SHARED_FILE, name)
        files.add(str(file))
        images[image] = checked
    return images, findings


def image_size(image: JsonObject) -> PixelSize | None:
    """Return height and width of an image of :func:`read_images`; None if they are not known."""
    return (image["height"], image["width"]) if "height" in image else None


def categories_by_id(content: Any, path: str) -> dict[int, JsonObject]:
    """Read the categories of an annotation file.

    Args:
        content: the JSON.
        path: of the file.

    Returns:
        The entries by id, in the order of the file, with whole numbers as ids; equal entries are read once.

    Raises:
        DataError: there is no category, an id is no whole number, or two categories with different names have the same
            id.
    """
    categories: dict[int, JsonObject] = {}
    for number, entry in enumerate(entries_of(content, "categories", path), start=1):
        category = number_in(entry.get("id"))
        if category is None:
            raise refused(path, f"category number {number} {field_text(entry, 'id')}, expected a whole number")
        if category in categories:
            warn_once(logger, "%s: category %d is listed more than once; it is read once.", path, category)
        known = categories.setdefault(category, {**entry, "id": category})
        if known.get("name") != entry.get("name"):
            names = f"{shown(known.get('name'))} and {shown(entry.get('name'))}"
            raise refused(path, f"the categories {names} have the same id {category}, expected distinct ids")
    if not categories:
        raise refused(path, "it has no categories, expected a list of id and name")
    return categories


def _image_id(entry: JsonObject, number: int, path: str) -> ImageId:
    value = entry.get("id")
    image = value if isinstance(value, str) else whole_number(value)
    if image is None:
        raise refused(path, f"image number {number} {field_text(entry, 'id')}, expected a whole number or text")
    return image


def _with_size(entry: JsonObject, name: str, path: str) -> JsonObject:
    """Replace height and width by whole numbers; removes both if one is missing."""
    if entry.get("height") is None or entry.get("width") is None:
        return {field: value for field, value in entry.items() if field not in ("height", "width")}
    height, width = number_in(entry["height"]), number_in(entry["width"])
    if height is None or width is None or height < 1 or width < 1 or height * width > MAX_PIXELS:
        values = f"height {shown(entry['height'])} and width {shown(entry['width'])}"
        raise refused(path, f"{name} has {values}, expected its size in pixels")
    return {**entry, "height": height, "width": width}
