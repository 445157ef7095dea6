"""Data set of a run: resolved from its name once, then opened, that is, its records read and their files checked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frozenseg.data.metadata import Metadata
from frozenseg.structures.record import Record
from frozenseg.vocabulary import Vocabulary


@dataclass(frozen=True)
class ResolvedDataset:
    """Data set resolved from its name; it is handed on, so that no later step looks the name up again.

    Attributes:
        name: as written in the config; ``metadata.name`` is the short one for tables and files.
        metadata: its attributes.
        vocabulary: the class names that a model is prompted with; those of the metadata, or those of a file
            (DATASETS.VOCABULARIES).
        load_records: reads the annotation files.
    """

    name: str
    metadata: Metadata
    vocabulary: Vocabulary
    load_records: Callable[[], list[Record]]


@dataclass(frozen=True)
class OpenedDataset:
    """Records of a data set, with the image and annotation files that they name checked to exist.

    Attributes:
        name: as written in the config.
        metadata: the attributes of the data set.
        records: one for each image.
        file_fields: the fields of the records that name a file which will be read.
    """

    name: str
    metadata: Metadata
    records: Sequence[Record]
    file_fields: tuple[str, ...]
