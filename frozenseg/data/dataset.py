"""Data set of a run in two states: resolved from its name, and opened (records read, their files checked)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frozenseg.data.metadata import Metadata
from frozenseg.structures.record import Record
from frozenseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class ResolvedDataset:
    """Data set resolved from its name, to be passed on instead of the name.

    Attributes:
        name: as written in the config; ``metadata.name`` is the short one for tables and files.
        metadata: metadata of the data set.
        vocabulary: class names to prompt a model with, from the metadata or from a file (DATASETS.VOCABULARIES).
        load_records: reads the annotation files.
        normalized: True if the class names are in their normal form, see :meth:`Vocabulary.normalized`.
    """

    name: str
    metadata: Metadata
    vocabulary: Vocabulary
    load_records: Callable[[], list[Record]]
    normalized: bool = False


@dataclass(frozen=True)
class OpenedDataset:
    """Records of a data set after the check that their image and annotation files exist.

    Attributes:
        name: as written in the config.
        metadata: metadata of the data set.
        records: one for each image.
        file_fields: fields of the records with paths of files that the run reads.
    """

    name: str
    metadata: Metadata
    records: Sequence[Record]
    file_fields: tuple[str, ...]
