"""Entries of a JSON file in COCO panoptic format: categories, images, and the segments of their PNGs, all checked."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.errors import DataError
from frozenseg.evaluation.panoptic_matching import LARGEST_ID
from frozenseg.evaluation.prediction_file_metrics.entries import CheckedEntry, KnownIds
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile
from frozenseg.evaluation.prediction_file_metrics.scores import first_duplicate
from frozenseg.structures.record import ImageId

TOP_FIELDS = "annotations, in COCO panoptic format"
CATEGORY_FIELDS = "id, name and isthing"
ENTRY_FIELDS = "image_id, file_name and segments_info"
SEGMENT_FIELDS = "id and category_id (in the ground truth also area and iscrowd)"
LARGEST_AREA = 2**40  # pixels
MAX_NAME = 100  # characters of a file name in a message


class PanopticCategory(NamedTuple):
    """Category of the ground truth.

    Attributes:
        name: empty if the file has none.
        isthing: True for countable objects.
    """

    name: str
    isthing: bool


class PanopticEntries:
    """Images of a JSON file in COCO panoptic format.

    Args:
        content: of the file.
        path: of the file.
        folder: of its PNGs.
        kind: ``ground truth`` or ``predictions``, for messages.
    """

    def __init__(self, content: Any, path: str | Path, folder: Path, kind: str) -> None:
        self.path, self.folder = path, folder
        self.top = CheckedEntry.of(content, f"The {kind} {path}", TOP_FIELDS)

    def categories(self) -> dict[int, PanopticCategory]:
        """Return the categories by id.

        Raises:
            DataError: there are none, or one is invalid or listed twice.
        """
        categories: dict[int, PanopticCategory] = {}
        for entry in self.top.entries("categories", "Category", self.path, CATEGORY_FIELDS):
            number = entry.integer("id", 0)
            if number in categories:
                raise DataError(f"{entry.name} repeats an earlier id: ids of categories must differ.")
            categories[number] = PanopticCategory(_category_name(entry), entry.flag("isthing"))
        if not categories:
            raise DataError(f"{self.top.name} has no category: nothing can be scored.")
        return categories

    def annotated(self, categories: Mapping[int, PanopticCategory]) -> dict[ImageId, PanopticFile]:
        """Return the annotated images.

        Args:
            categories: of this file.

        Raises:
            DataError: an entry is invalid.
        """
        known = KnownIds(list(categories), "category")
        return self._files([(entry.identifier("image_id"), entry) for entry in self._entries()], known, annotated=True)

    def predicted(self, images: KnownIds, categories: KnownIds) -> dict[ImageId, PanopticFile]:
        """Return the predicted images.

        Args:
            images: of the ground truth.
            categories: of the ground truth.

        Raises:
            DataError: an entry is invalid, or of an image or a category that the ground truth does not have.
        """
        return self._files([(images.match(entry, "image_id"), entry) for entry in self._entries()], categories)

    def sizes(self) -> dict[ImageId, tuple[int, int]]:
        """Return image id → height, width of the images that list them; ``images`` may be missing."""
        sizes: dict[ImageId, tuple[int, int]] = {}
        if "images" in self.top.fields:
            for entry in self.top.entries("images", "Image", self.path, "id, height and width"):
                if "height" in entry.fields and "width" in entry.fields:
                    size = entry.integer("height", 1), entry.integer("width", 1)
                    sizes[entry.identifier("id")] = size
        return sizes

    def _entries(self) -> list[CheckedEntry]:
        return list(self.top.entries("annotations", "Entry", self.path, ENTRY_FIELDS))

    def _files(
        self, entries: list[tuple[ImageId, CheckedEntry]], categories: KnownIds, annotated: bool = False
    ) -> dict[ImageId, PanopticFile]:
        if (duplicate := first_duplicate(image for image, _ in entries)) is not None:
            repeated = [str(number) for number, (image, _) in enumerate(entries, 1) if image == duplicate]
            numbers = " and ".join(repeated[:2])
            raise DataError(f"{self.path} has image {duplicate} twice (entries {numbers}): keep one of them.")
        files = {image: self._file(image, entry, categories, annotated) for image, entry in entries}
        if (shared := first_duplicate(file.path for file in files.values())) is not None:
            images = " and ".join([str(image) for image, file in files.items() if file.path == shared][:2])
            raise DataError(
                f"{self.path} has the file_name {shared.name!r} for images {images}: expected one PNG each."
            )
        return files

    def _file(self, image: ImageId, entry: CheckedEntry, categories: KnownIds, annotated: bool) -> PanopticFile:
        name = entry.text("file_name", "the name of a PNG")
        path = _below(self.folder, name)
        if path is None:
            raise DataError(
                f"The image {name[:MAX_NAME]}, which the JSON file names (image {image} of {self.path}), does not "
                f"exist in {self.folder}: check the folder and file_name."
            )
        segments = entry.entries("segments_info", "Segment", f"image {image} in {self.path}", SEGMENT_FIELDS)
        return PanopticFile(path, [_segment(segment, categories, annotated) for segment in segments])


def _below(folder: Path, name: str) -> Path | None:
    """Return the path of an existing file below a folder; None if there is none.

    Names that another machine or tool wrote are tried with slashes and by their base name. No file outside the folder
    is read, whatever path the name has.
    """
    for reading in (name, name.replace("\\", "/"), name.replace("\\", "/").rsplit("/", 1)[-1]):
        inside = not os.path.isabs(reading) and ".." not in reading.split("/")
        if inside and os.path.isfile(folder / reading):  # Path.is_file raises an error for names that are too long
            return folder / reading
    return None


def _segment(segment: CheckedEntry, categories: KnownIds, annotated: bool) -> dict[str, Any]:
    """Return a segment with its contiguous class, and its area and crowd flag if it is ``annotated``."""
    # 0 is void in the ground truth; panopticapi accepts it as a predicted segment
    number = segment.integer("id", int(annotated), LARGEST_ID, "a segment id (R + 256·G + 65536·B of its PNG)")
    converted = {"id": number, "category_id": categories.index(segment, "category_id")}
    if annotated:
        area = segment.integer("area", 0, LARGEST_AREA, "the number of its pixels")
        converted |= {"area": area, "iscrowd": segment.fields.get("iscrowd") is not None and segment.flag("iscrowd")}
    return converted


def _category_name(entry: CheckedEntry) -> str:
    name = entry.fields.get("name")
    return name if isinstance(name, str) else ""
