"""Vocabularies as the segmenter takes them: text, lists, dictionaries, files of class names."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from frozenseg.errors import DataError, did_you_mean
from frozenseg.inference.named_vocabularies import named_vocabulary
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import read_vocabulary_lines
from frozenseg.vocabulary.marks import split_mark
from frozenseg.vocabulary.name_checks import warn_of_names

ClassNames = str | Sequence[str]  # "cat,kitten" or ["cat", "kitten"]
VocabularyLike = str | Path | Vocabulary | Sequence[ClassNames] | Mapping[str, ClassNames | None]
StuffLike = str | Iterable[str]
SUPPORTED_VOCABULARIES = "'cat,kitten; dog', ['cat,kitten', 'dog'], {'cat': ['kitten'], 'dog': []}, or a Vocabulary"


def make_vocabulary(vocabulary: VocabularyLike, stuff: StuffLike = ()) -> Vocabulary:
    """Return a vocabulary for the value that a user has passed.

    Args:
        vocabulary: ``"cat,kitten; stuff: grass"``: classes separated by ``;``, synonyms by ``,``, with a mark for
            stuff; the name of a benchmark, such as ``"ade20k"``, see
            :mod:`~frozenseg.inference.named_vocabularies`; a list with one element for each class, ``"cat,kitten"`` or
            ``["cat", "kitten"]``; a dictionary from first names to synonyms, ``{"cat": "kitten", "dog": ""}``; the
            ``Path`` of a file of class names; or a :class:`Vocabulary`.
        stuff: first names of the classes that are not countable: ``"sky; grass"``, ``["sky", "grass"]``. Without effect
            on the flags of a :class:`Vocabulary` and therefore not allowed with it.

    Raises:
        DataError: another type, no class, a class without a name, or an unknown name in ``stuff``.
    """
    names = stuff_names(stuff)
    if isinstance(vocabulary, Vocabulary):
        if names:
            raise DataError(
                f"stuff is {stuff!r}, but the vocabulary is a Vocabulary with flags: set its isthing, and omit stuff."
            )
        return vocabulary
    if isinstance(vocabulary, str) and (benchmark := named_vocabulary(vocabulary)) is not None:
        _check_stuff(names, benchmark.classes)
        stuff_classes = {*names, *_stuff_of(benchmark)}
        return replace(benchmark, isthing=tuple(name not in stuff_classes for name in benchmark.names))
    classes, stuff_of_file = _classes(vocabulary)
    _check_stuff(names, classes)
    if not isinstance(vocabulary, str):  # the parser of text has warned already
        warn_of_names(classes)
    return Vocabulary.from_strings([",".join(synonyms) for synonyms in classes], stuff={*names, *stuff_of_file})


def stuff_names(stuff: StuffLike | None) -> list[str]:
    """Return the names of stuff classes in ``"sky; grass"`` or in an iterable.

    Raises:
        DataError: another type.
    """
    if stuff is None:
        return []
    names = stuff.split(";") if isinstance(stuff, str) else stuff
    if not isinstance(names, Iterable) or isinstance(names, (bytes, bytearray)):
        raise DataError(f"stuff is {_shown(stuff)}, expected names such as 'sky; grass' or ['sky', 'grass'].")
    names = list(names)
    if wrong := [name for name in names if not isinstance(name, str)]:
        raise DataError(f"stuff has the element {_shown(wrong[0])}, expected names such as ['sky', 'grass'].")
    return [name.strip() for name in names if name.strip()]


def _classes(vocabulary: VocabularyLike) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the synonyms of each class, and the stuff classes that a file names."""
    if isinstance(vocabulary, str):
        _refuse_file_name(vocabulary)
        parsed = Vocabulary.parse(vocabulary)
        return list(parsed.classes), _stuff_of(parsed)
    if isinstance(vocabulary, Path):
        lines = read_vocabulary_lines(vocabulary)
        return [line.names for line in lines], [line.names[0] for line in lines if line.isthing is False]
    if isinstance(vocabulary, Mapping):
        classes = [_of_entry(name, synonyms) for name, synonyms in vocabulary.items()]
    elif isinstance(vocabulary, (list, tuple)):
        return _of_list(vocabulary)
    else:
        hint = ": its classes have no order, pass a list" if isinstance(vocabulary, (set, frozenset)) else ""
        raise DataError(f"The vocabulary is {_shown(vocabulary)}, expected {SUPPORTED_VOCABULARIES}{hint}.")
    _refuse_empty(classes, vocabulary)
    return classes, []


def _stuff_of(vocabulary: Vocabulary) -> list[str]:
    return [name for name, isthing in zip(vocabulary.names, vocabulary.isthing, strict=True) if not isthing]


def _of_list(elements: Sequence[ClassNames]) -> tuple[list[tuple[str, ...]], list[str]]:
    """Return the synonyms of each class of a list, and the classes that are marked as stuff."""
    marked = [split_mark(each) if isinstance(each, str) else (each, None) for each in elements]
    classes = [_of_element(index, element) for index, (element, _) in enumerate(marked)]
    _refuse_empty(classes, elements)
    return classes, [names[0] for names, (_, isthing) in zip(classes, marked, strict=True) if isthing is False]


def _refuse_empty(classes: Sequence[tuple[str, ...]], vocabulary: VocabularyLike) -> None:
    if not classes:
        raise DataError(
            f"The vocabulary is empty ({vocabulary!r}): pass at least one class, such as {SUPPORTED_VOCABULARIES}."
        )


def _refuse_file_name(text: str) -> None:
    """Raise DataError if a text is the path of an existing file, which would be read as the name of a class."""
    if ";" in text or "," in text or len(text) > 1000 or "." not in text:
        return
    try:
        is_file = Path(text).is_file()
    except (OSError, ValueError):
        return
    if is_file:
        raise DataError(f"The vocabulary {text!r} is the path of a file, expected class names: pass Path({text!r}).")


def _of_element(index: int, element: ClassNames) -> tuple[str, ...]:
    """Return the synonyms in an element of a list."""
    parts = [element] if isinstance(element, str) else element
    if not isinstance(parts, (list, tuple)) or not all(isinstance(part, str) for part in parts) or not parts:
        raise DataError(
            f"Class {index + 1} of the vocabulary is {_shown(element)}, expected 'cat,kitten' or ['cat', 'kitten']."
        )
    return _names(f"Class {index + 1} of the vocabulary", parts)


def _of_entry(name: str, synonyms: ClassNames | None) -> tuple[str, ...]:
    """Return the synonyms in an entry of a dictionary, the first name first."""
    if not isinstance(name, str):
        raise DataError(
            f"The vocabulary has the key {_shown(name)}, expected a dictionary from first names to synonyms, such as "
            "{'cat': ['kitten']}: for a dictionary from numbers to names, pass list(names.values())."
        )
    parts = [synonyms] if isinstance(synonyms, str) else list(synonyms) if isinstance(synonyms, (list, tuple)) else []
    wrong = synonyms is not None and not isinstance(synonyms, (str, list, tuple))
    if wrong or not all(isinstance(part, str) for part in parts):
        raise DataError(
            f"The synonyms of {name!r} in the vocabulary are {_shown(synonyms)}, expected names such as ['kitten']: "
            "for a dictionary from names to numbers, pass list(names)."
        )
    return tuple(dict.fromkeys(_names(f"Class {name!r} of the vocabulary", [name, *filter(str.strip, parts)])))


def _names(what: str, parts: Sequence[str]) -> tuple[str, ...]:
    text = ",".join(parts)
    if ";" in text:
        raise DataError(f"{what} has the name {text!r}, in which ';' separates classes: pass one element a class.")
    names = tuple(name.strip() for name in text.split(","))
    if not all(names):
        raise DataError(f"{what} has an empty name (received {text!r}): separate synonyms with ',', or omit the class.")
    return names


def _check_stuff(names: Sequence[str], classes: Sequence[Sequence[str]]) -> None:
    first_names = [synonyms[0] for synonyms in classes]
    for name in names:
        if name in first_names:
            continue
        first = next((synonyms[0] for synonyms in classes if name in synonyms), None)
        hint = did_you_mean(name, first_names) if first is None else f" It is a synonym of {first!r}."
        raise DataError(
            f"The stuff class {name!r} is not in the vocabulary.{hint} Pass the first name of a class, and separate "
            "several with ';'."
        )


def _shown(value: object) -> str:
    """Return a value with its type, for a message."""
    text = repr(value)
    return "None" if value is None else f"{text if len(text) <= 60 else text[:60] + '…'} ({type(value).__name__})"
