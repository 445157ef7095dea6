"""Interface of the output formats: files of an image, and files about all images.

A run calls :meth:`OutputFormat.write` for each image, in any order and possibly in several processes, keeps the record
that it returns, and at the end calls :meth:`OutputFormat.finish` with the records of all images in the order of the
input. Ids are assigned there, so that the files do not depend on the order in which images were segmented, and a run
that was interrupted and resumed has the same bytes.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from frozenseg.errors import DataError
from frozenseg.inference.result import Result
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.structures.palette import Colour, vocabulary_colours
from frozenseg.visualization.overlay import OPACITY
from frozenseg.vocabulary import Vocabulary

OutputRecord = dict[str, Any]  # of one image and one format; JSON can represent it


class OutputImage(NamedTuple):
    """An image in the output files.

    Attributes:
        name: relative path with ``/``, distinct within a run: ``sub/dir/photo.jpg``.
        stem: path of its output files without their ending, distinct without regard to capitals: ``sub/dir/photo``.
        width: pixels.
        height: pixels.
        path: of the image, to which labelme's files refer; None if there is no file.
    """

    name: str
    stem: str
    width: int
    height: int
    path: Path | None = None

    def entry(self) -> dict[str, Any]:
        """Return name and size for JSON."""
        return {"file_name": self.name, "width": self.width, "height": self.height}


@dataclass(frozen=True)
class OutputClasses:
    """Classes in the output files.

    Attributes:
        vocabulary: C class names.
        ids: C distinct numbers of the classes in COCO files and label maps; empty for 1 … C.
        colours: C colours; empty for those that the names suggest.

    Raises:
        DataError: the number of ids or colours is not C, or ids are repeated or negative.
    """

    vocabulary: Vocabulary
    ids: tuple[int, ...] = ()
    colours: tuple[Colour, ...] = ()

    def __post_init__(self) -> None:
        """Check the lengths; fill in the defaults."""
        count = len(self.vocabulary)
        for name, values in (("ids", self.ids), ("colours", self.colours)):
            if values and len(values) != count:
                raise DataError(f"There are {len(values)} {name} for {count} classes, expected one for each class.")
        if len(set(self.ids)) != len(self.ids) or any(number < 0 for number in self.ids):
            raise DataError(f"The ids of the classes are {list(self.ids)[:20]}, expected distinct numbers from 0.")
        object.__setattr__(self, "ids", self.ids or tuple(range(1, count + 1)))
        object.__setattr__(self, "colours", self.colours or tuple(vocabulary_colours(self.vocabulary.names)))


@dataclass(frozen=True)
class FormatOptions:
    """Options of the output formats.

    Attributes:
        polygons: write outlines where a format has both outlines and run lengths (coco-instances, cvat-xml).
        tolerance: largest distance of an outline from the mask, pixels; 0: along the edges of the pixels.
        opacity: of the colours in drawings, 0-1.
        max_size: longest side of drawings, pixels; 0: that of the image.
        legend: add a legend to drawings.
        title: of HTML pages.
    """

    polygons: bool = False
    tolerance: float = 0.75
    opacity: float = OPACITY
    max_size: int = 0
    legend: bool = False
    title: str = "Segments"


class OutputFormat(ABC):
    """A format of output files.

    Args:
        folder: of the output; all files are in it.
        classes: of the run.
        options: of all formats.

    Attributes:
        name: by which users choose the format.
        description: one line for help texts.
        outputs: fields of the result that :meth:`write` reads.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    outputs: ClassVar[tuple[OutputKind, ...]] = ("panoptic",)

    def __init__(self, folder: str | Path, classes: OutputClasses, options: FormatOptions | None = None) -> None:
        self.folder, self.classes, self.options = Path(folder), classes, options or FormatOptions()

    @abstractmethod
    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the files of an image, each atomically.

        Returns:
            What :meth:`finish` needs of the image.

        Raises:
            OSError: a file cannot be written.
        """

    @abstractmethod
    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the files about all images, each atomically.

        Args:
            records: of the images, in the order of the input.

        Returns:
            The files or folders for the user to open.

        Raises:
            OSError: a file cannot be written.
        """
