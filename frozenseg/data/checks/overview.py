"""All data sets in one table: pictures, classes, and how many of them training on COCO (or ToyWorld) has shown."""

import re
from collections.abc import Iterable
from typing import Any

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog, vocabulary_of
from frozenseg.data.seen_classes import published_flags
from frozenseg.vocabulary import Vocabulary

HEADERS = ("names", "images", "classes", "things + stuff", "seen", "seen, published", "synonyms")
COCO, TOYWORLD = "openvocab_coco_2017_train_panoptic_with_sem_seg", "toyworld_train"
UNKNOWN = "–"
SPLIT = re.compile(r"_(train|val)(?=_|$)")


def table_of_data_sets() -> list[tuple[str, ...]]:
    """Return a row a data set, as :data:`HEADERS` says; splits of the same classes share one.

    ``seen`` counts the classes that share a word with a training class, ``seen, published`` those of the published
    flags. ``synonyms`` counts those of all classes.
    """
    rows: dict[tuple[Any, ...], list[str]] = {}
    for name in DatasetCatalog.list():
        words = vocabulary_of(name)
        rows.setdefault((SPLIT.sub("_{}", name), words, _published(name)), []).append(name)
    return [_row(names, words, published) for (_, words, published), names in rows.items()]


def _row(names: list[str], words: Vocabulary, published: str) -> tuple[str, ...]:
    things = sum(words.isthing)
    training = vocabulary_of(_training_of(names[0]))
    return (
        _joined(names),
        ", ".join(_images(name) for name in names),
        str(len(words)),
        f"{things} + {len(words) - things}",
        str(sum(words.seen_by(training))),
        published,
        str(len(words.synonyms)),
    )


def _joined(names: list[str]) -> str:
    """Return ``set_{train,val}`` for ``set_train`` and ``set_val``."""
    splits = [found[1] for name in names if (found := SPLIT.search(name))]
    return SPLIT.sub(f"_{{{','.join(splits)}}}", names[0], count=1) if len(names) > 1 else names[0]


def _images(name: str) -> str:
    known: Iterable[int] = MetadataCatalog.get(name).get("known_images") or ()
    return " or ".join(f"{number:,}".replace(",", " ") for number in known) or UNKNOWN


def _published(name: str) -> str:
    flags = published_flags(MetadataCatalog.get(name), MetadataCatalog.get(_training_of(name)))
    return UNKNOWN if flags is None else str(sum(flags))


def _training_of(name: str) -> str:
    return TOYWORLD if name.startswith("toyworld") else COCO
