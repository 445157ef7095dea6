"""Classes of a call of the runtime: the requested ones by their names, and the negatives that compete with them.

String rules alone, on the standard library. They are those of ``Vocabulary.parse`` and ``ClassRules``.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from frozenseg.export.runtime_files import ExportedFileError

Names = Sequence[Sequence[str]]  # the synonyms of each class


class CallClasses(NamedTuple):
    """Classes of a call: C requested ones, then R negatives, which are segmented but not in the outputs."""

    names: Names  # C + R
    seen: list[bool]  # C + R, True for classes seen in training
    isthing: list[bool]  # C
    background: list[int]  # requested classes that are negatives, too
    negative_weight: float  # prior odds of a negative
    min_evidence: float  # probability that a class must have for some query to be in the outputs


def classes_of_call(vocabulary: str | Names | None, stuff: Iterable[str], manifest: dict[str, Any]) -> CallClasses:
    """Return the classes of a call.

    Args:
        vocabulary: ``"cat,kitten; stuff: grass"``, or the names of each class; None for those of the manifest.
        stuff: first names of the classes that cannot be counted.
        manifest: of the exported model.

    Raises:
        ExportedFileError: a class without a name, a stuff class that is not requested, background classes alone, or no
            vocabulary.
    """
    requested, stuff = _requested(vocabulary, stuff, manifest["vocabulary"])
    if not requested or not all(name.strip() for names in requested for name in (names or ("",))):
        raise ExportedFileError(f"The vocabulary {vocabulary!r:.80} has a class without a name.")
    if unknown := stuff - {names[0] for names in requested}:
        raise ExportedFileError(f"Stuff classes that are not in the vocabulary: {', '.join(sorted(unknown))}.")
    rules = manifest["classes"]
    background = [index for index, names in enumerate(requested) if _normal(names[0]) in rules["background"]]
    if len(background) == len(requested):
        raise ExportedFileError("The vocabulary has only background classes: add a class to segment.")
    negatives = []
    if background or len(requested) <= rules["negatives_up_to"]:
        parts = [_parts_of(name) for names in requested for name in names]
        negatives = [names[:1] for names in rules["negatives"] if not _related(names, parts)]
    classes, known = [*requested, *negatives], set(rules["seen"])
    return CallClasses(
        classes,
        [any(_normal(name) in known for name in names) for names in classes],
        [names[0] not in stuff for names in requested],
        background,
        1.0 if background else rules["negative_weight"],
        rules["min_evidence"],
    )


def _requested(
    vocabulary: str | Names | None, stuff: Iterable[str], stored: dict[str, Any] | None
) -> tuple[Names, frozenset[str]]:
    """Return the names of each requested class, and the first names of those that are stuff."""
    if vocabulary is None:
        if stored is None:
            raise ExportedFileError("The model was exported without --words: pass a vocabulary, 'cat; dog'.")
        flags = zip(stored["classes"], stored["isthing"], strict=True)
        return stored["classes"], frozenset(names[0] for names, isthing in flags if not isthing)
    if not isinstance(vocabulary, str):
        return vocabulary, frozenset(stuff)
    classes, marked = [], list(stuff)
    for each in re.split(r"[;\r\n]", vocabulary):
        mark = re.match(r"\s*(stuff|things?)\s*:\s*", each, re.IGNORECASE)
        if each.strip():
            classes.append([name.strip() for name in each[mark.end() if mark else 0 :].split(",")])
        if mark and mark[1].lower() == "stuff":
            marked.append(classes[-1][0])
    return classes, frozenset(marked)


def _normal(name: str) -> str:
    """Return a name in lower case, with single spaces for underscores and other space."""
    visible = re.sub(r"[\u200b\u2060\ufeff\u00ad]", "", unicodedata.normalize("NFC", name))
    return re.sub(r"[\s_]+", " ", visible).strip().lower()


def _parts_of(name: str) -> frozenset[str]:
    return frozenset(word.removesuffix("s") for word in _normal(name).split())


def _related(negative: Sequence[str], requested: Sequence[frozenset[str]]) -> bool:
    """Return True if a negative may be a requested class: all words of one of their names are in the other."""
    return any(ours <= theirs or theirs <= ours for ours in map(_parts_of, negative) for theirs in requested)
