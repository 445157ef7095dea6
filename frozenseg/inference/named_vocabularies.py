"""Vocabularies of benchmarks by name, and the union of the large ones."""

import functools
from difflib import get_close_matches

from frozenseg.data.spec import read_categories
from frozenseg.errors import DataError, did_you_mean
from frozenseg.toyworld.categories import all_categories, wide_categories
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.names import normal_name

TOYWORLD_NAMES = "toyworld"
TOYWORLD_WIDE = "toyworld_wide"  # of its CLIP: all combinations of its colours, patterns and shapes
TABLES = {  # name → table of frozenseg/data/categories
    "coco": "coco_panoptic.tsv",
    "ade20k": "ade20k_150.tsv",
    "ade20k_847": "ade20k_847.tsv",
    "lvis": "lvis.tsv",
    "pc59": "pascal_context_59.tsv",
    "pc459": "pascal_context_459.tsv",
    "voc": "pascal_voc_21.tsv",
    "cityscapes": "cityscapes.tsv",
    "mapillary": "mapillary_65.tsv",
    "bdd": "bdd_panoptic_40.tsv",
}
OTHER_NAMES = {
    "coco_panoptic": "coco",
    "coco_133": "coco",
    "ade20k_150": "ade20k",
    "ade": "ade20k",
    "ade150": "ade20k",
    "ade847": "ade20k_847",
    "ade20k_full": "ade20k_847",
    "pascal_context_59": "pc59",
    "pascal_context_459": "pc459",
    "pascal_voc": "voc",
    "voc21": "voc",
    "mapillary_vistas": "mapillary",
    "bdd100k": "bdd",
    "lvis_1203": "lvis",
}
LARGE = ("coco", "lvis", "ade20k_847", "pc459", "mapillary")  # of the union
SIMILAR = 0.8  # of a misspelt name


def vocabulary_names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted([*TABLES, TOYWORLD_NAMES, TOYWORLD_WIDE])


def named_vocabulary(name: str) -> Vocabulary | None:
    """Return the classes of a benchmark, with their synonyms, in its order; None for a text that names none.

    Args:
        name: such as ``ade20k``, in any spelling with capitals, hyphens and spaces.

    Raises:
        DataError: the text is a misspelt name (the message has the nearest one and all).
    """
    key = _key(name)
    key = OTHER_NAMES.get(key, key)
    if key in (TOYWORLD_NAMES, TOYWORLD_WIDE):
        return toyworld_vocabulary(is_wide=key == TOYWORLD_WIDE)
    if key in TABLES:
        return _of_table(TABLES[key])
    if _looks_like_a_name(name.strip().lower()):
        known = vocabulary_names()
        raise DataError(
            f"Unknown vocabulary {name.strip()!r:.60}.{did_you_mean(key, known)} Available: {', '.join(known)}. If it "
            f"is the name of a class, pass a list: [{name.strip()!r:.60}]."
        )
    return None


def _looks_like_a_name(text: str) -> bool:
    """Return True for a text such as ``ade20kk``: digits or underscores, and similar to a name, or a longer name."""
    known = [*vocabulary_names(), *OTHER_NAMES]
    if any(character.isdigit() or character == "_" for character in text):
        return bool(get_close_matches(_key(text), known, n=1, cutoff=SIMILAR))
    matches = get_close_matches(text, ["mapillary", TOYWORLD_NAMES, "cityscapes"], n=1, cutoff=SIMILAR)
    return bool(matches) and " " not in text and not matches[0].startswith(text)  # a cityscape is a class


@functools.lru_cache(maxsize=2)
def union_of_vocabularies(names: tuple[str, ...] = LARGE) -> Vocabulary:
    """Return the classes of several benchmarks, classes with the same first name merged.

    A class has the synonyms of all benchmarks; a name of several classes stays with the first one. A class is a thing
    if any of the benchmarks says so, as ADE20K-847 and PC-459 do not tell things from stuff.

    Args:
        names: of the benchmarks, the one with the best synonyms first.

    Raises:
        DataError: unknown name.
    """
    isthing: dict[str, bool] = {}
    synonyms: dict[str, list[str]] = {}
    for name in names:
        vocabulary = named_vocabulary(name)
        if vocabulary is None:
            raise DataError(f"Unknown vocabulary {name!r}. Available: {', '.join(vocabulary_names())}.")
        for group, flag in zip(vocabulary.normalized().classes, vocabulary.isthing, strict=True):
            isthing[group[0]] = isthing.get(group[0], False) or flag
            synonyms.setdefault(group[0], []).extend(group)
    used = set(synonyms)
    classes: list[tuple[str, ...]] = []
    for first, names_of in synonyms.items():
        others = tuple(dict.fromkeys(name for name in names_of if name not in used))
        used.update(others)
        classes.append((first, *others))
    return Vocabulary(tuple(classes), tuple(isthing.values()))


@functools.lru_cache(maxsize=16)
def _of_table(file_name: str) -> Vocabulary:
    rows = read_categories(file_name)
    return Vocabulary(tuple(row.names for row in rows), tuple(row.isthing for row in rows))


@functools.lru_cache(maxsize=2)
def toyworld_vocabulary(is_wide: bool = False) -> Vocabulary:
    """Return all classes of ToyWorld, seen and unseen.

    Args:
        is_wide: all 192 things and 8 materials that ToyWorld's CLIP can name.
    """
    categories = wide_categories() if is_wide else all_categories()
    return Vocabulary(
        tuple(category.names for category in categories), tuple(category.isthing for category in categories)
    )


def _key(text: str) -> str:
    return normal_name(text).replace(" ", "_").replace("-", "_")
