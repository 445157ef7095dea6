"""Table of all data sets: numbers of images, classes, and classes seen in training on COCO (or ToyWorld)."""

import re
from typing import NamedTuple

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
from frozenseg.data.metadata import Metadata
from frozenseg.data.seen_classes import published_flags
from frozenseg.vocabulary import Vocabulary

OVERVIEW_HEADERS = ("names", "images", "classes", "things + stuff", "seen", "seen, published", "synonyms")
COCO, TOYWORLD = "openvocab_coco_2017_train_panoptic_with_sem_seg", "toyworld_train"
UNKNOWN = "–"
SPLIT = re.compile(r"_(train|val)(?=_|$)")


class _Group(NamedTuple):
    """Key of a row: data sets with the same key are splits of one data set."""

    name: str  # with a placeholder for the split
    vocabulary: Vocabulary
    published: str


def dataset_table() -> list[tuple[str, ...]]:
    """Return one row for each data set, with the columns of :data:`OVERVIEW_HEADERS`; splits share a row.

    ``seen`` is the number of classes that share a name with a training class, ``seen, published`` the number by the
    published flags, ``synonyms`` the number of names of all classes.
    """
    groups: dict[_Group, list[Metadata]] = {}
    for name in DatasetCatalog.list():
        metadata = MetadataCatalog.get(name)
        flags = published_flags(metadata, _training_set_of(name))
        published = UNKNOWN if flags is None else str(sum(flags))
        groups.setdefault(_Group(SPLIT.sub("_{}", name), metadata.vocabulary, published), []).append(metadata)
    return [_row(group, splits) for group, splits in groups.items()]


def _row(group: _Group, splits: list[Metadata]) -> tuple[str, ...]:
    vocabulary = group.vocabulary
    things = sum(vocabulary.isthing)
    training = _training_set_of(group.name).vocabulary
    return (
        _joined([metadata.name for metadata in splits]),
        ", ".join(_images(metadata) for metadata in splits),
        str(len(vocabulary)),
        f"{things} + {len(vocabulary) - things}",
        str(sum(vocabulary.seen_by(training))),
        group.published,
        str(len(vocabulary.synonyms)),
    )


def _joined(names: list[str]) -> str:
    """Return ``set_{train,val}`` for ``set_train`` and ``set_val``."""
    splits = [match[1] for name in names if (match := SPLIT.search(name))]
    return SPLIT.sub(f"_{{{','.join(splits)}}}", names[0], count=1) if len(names) > 1 else names[0]


def _images(metadata: Metadata) -> str:
    return " or ".join(f"{number:,}".replace(",", " ") for number in metadata.known_images) or UNKNOWN


def _training_set_of(name: str) -> Metadata:
    return MetadataCatalog.get(TOYWORLD if name.startswith("toyworld") else COCO)
