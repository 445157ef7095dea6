"""Findings: deviations of a file from its format, counted over the file and reported once in a sentence each."""

from dataclasses import dataclass, field
from enum import Enum

from frozenseg.errors import DataError
from frozenseg.structures.record import ImageId
from frozenseg.structures.segmentation import NoMask


class Oddity(Enum):
    """Deviation of an object from COCO's format; the value continues "7 of 10 objects …"."""

    ID_REPEATED = "have the id of another object: objects are numbered by their order"
    ID_MISSING = "have no valid id, a whole number or text: objects are numbered by their order"
    IMAGE_ID = "name their image by text or number where the image has the other: read as the same"
    CATEGORY_ID = "name their category by text: read as the number"
    CROWD_FLAG = "have an iscrowd that is text: read as 0 or 1"
    AREA = "have no valid area: the number of pixels of the mask is used"
    CROWD = (
        "are crowds, which are not trained on and not scored: if they are brush masks of CVAT, set their iscrowd to 0"
    )
    BRUSH = "are crowds with uncompressed run lengths, as CVAT writes brush masks: read as ordinary objects"


class ImageOddity(Enum):
    """Deviation of an image from COCO's format; the value continues "7 of 10 images …"."""

    REPEATED = "are listed twice with equal entries: each is read once"
    SHARED_FILE = "have the file_name of another image: the objects of a file should be those of one image"
    NO_SIZE = "have no height and width: those of the image file or of the masks are used"


@dataclass
class Findings:
    """Deviations of one file.

    Attributes:
        path: of the file.
        noun: of the entries, plural.
        total: number of entries.
        counts: number of entries by deviation.
        first: name of the first entry by deviation.
        without_mask: objects that are left out because they have no mask, by image.
    """

    path: str
    noun: str
    total: int
    counts: dict[Enum, int] = field(default_factory=dict)
    first: dict[Enum, str] = field(default_factory=dict)
    without_mask: dict[ImageId, list[str]] = field(default_factory=dict)

    def add(self, deviation: Enum, name: str) -> None:
        """Count the deviation of the entry with this name."""
        self.counts[deviation] = self.counts.get(deviation, 0) + 1
        self.first.setdefault(deviation, name)

    def leave_out(self, reason: NoMask, name: str, image: ImageId) -> None:
        """Count an object that has no mask."""
        self.add(reason, name)
        self.without_mask.setdefault(image, []).append(name)

    def sentences(self) -> list[str]:
        """Return one sentence for each deviation."""
        return [
            f"{self._subject(deviation)}{'; left out (--strict refuses them)' * isinstance(deviation, NoMask)}."
            for deviation in self.counts
        ]

    def refuse_left_out(self) -> None:
        """Raise an error if an object is left out.

        Raises:
            DataError: the message has the number of objects and the first of them.
        """
        for deviation in self.counts:
            if isinstance(deviation, NoMask):
                raise DataError(
                    f"{self._subject(deviation)}, expected a mask for every object: add the masks, or run without "
                    "--strict (DATASETS.STRICT) to leave these objects out."
                )

    def _subject(self, deviation: Enum) -> str:
        what, _, reading = deviation.value.partition(":")
        reading = f":{reading}" if reading else ""
        return (
            f"{self.counts[deviation]} of {self.total} {self.noun} of {self.path} {what} (first: "
            f"{self.first[deviation]}){reading}"
        )
