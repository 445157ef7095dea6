"""Interface of a data set's metadata, for code that does not depend on the catalogs: evaluation and visualisation."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from frozenseg.structures.palette import Colour
from frozenseg.vocabulary import Vocabulary


class DatasetMetadata(Protocol):
    """Attributes of a data set that are known without its files; ``frozenseg.data.Metadata`` implements them.

    Classes are in contiguous order, C of them.
    """

    @property
    def name(self) -> str:
        """Short name, for tables and files."""

    @property
    def evaluator_type(self) -> str:
        """Key that selects the evaluators, such as ``coco_panoptic_seg``."""

    @property
    def vocabulary(self) -> Vocabulary:
        """C classes with their synonyms and thing/stuff flags."""

    @property
    def category_ids(self) -> tuple[int, ...]:
        """Id of each class in the annotation files, C integers."""

    @property
    def colors(self) -> tuple[Colour, ...]:
        """RGB colour (0-255) of each class, C of them."""

    @property
    def category_groups(self) -> Mapping[str, Sequence[int]]:
        """Subsets of the classes that are reported separately: name → class indices."""

    @property
    def ignore_label(self) -> int:
        """Value of unlabelled pixels in label images."""

    @property
    def first_label(self) -> int:
        """Value of class 0 in label images."""

    @property
    def image_root(self) -> str | None:
        """Folder of the images; None if they have no common folder."""

    @property
    def sem_seg_root(self) -> str | None:
        """Folder of the label images, None if there are none."""

    @property
    def json_file(self) -> str | None:
        """File of the instance annotations, None if there is none."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return an attribute, or ``default`` if it is not set."""
