"""Warnings about class names that are probably not meant as they are written."""

from collections import Counter
from collections.abc import Sequence

from frozenseg.log import get_logger, warn_once
from frozenseg.vocabulary.line import Synonyms
from frozenseg.vocabulary.names import normal_name

logger = get_logger(__name__)
MANY_CLASSES = 5000
_SHOWN = 3  # names in a warning
LONGEST_SHOWN = 40  # characters of a name in a warning


def warn_of_names(classes: Sequence[Synonyms], source: str = "The vocabulary") -> None:
    """Log one warning with everything that is unusual about the names of a vocabulary; once for the same names.

    Args:
        classes: synonyms of each class.
        source: of the names, to begin the sentence with.
    """
    if notes := name_notes(classes):
        count = f"{len(classes)} {'class' if len(classes) == 1 else 'classes'}"
        warn_once(logger, "%s was understood as %s: %s.", source, count, "; ".join(notes), key=f"{source} {notes}")


def name_notes(classes: Sequence[Synonyms]) -> list[str]:
    """Return a note for each kind of unusual names: doubled, shared, synonyms of a single class, unreadable, very many.

    Args:
        classes: synonyms of each class.
    """
    notes = (_single(classes), _doubled(classes), _shared(classes), *_unreadable(classes), _many(classes))
    return [note for note in notes if note]


def shown_name(name: str) -> str:
    """Return a name in quotes, cut if it is long; invisible characters as escapes."""
    return repr(name if len(name) <= LONGEST_SHOWN else f"{name[:LONGEST_SHOWN]}…")


def shown_examples(names: Sequence[str]) -> str:
    """Return the first names in quotes, with an ellipsis if there are more."""
    return ", ".join(map(shown_name, names[:_SHOWN])) + (" …" if len(names) > _SHOWN else "")


def _single(classes: Sequence[Synonyms]) -> str:
    """Note for ``cat,dog,tree``, which is one class with three names."""
    if len(classes) != 1 or len(classes[0]) < 2:
        return ""
    names = classes[0]
    return (
        f"{shown_examples(names)} are names of this one class; "
        f"separate classes by ';' or by lines if {len(names)} classes were meant"
    )


def _doubled(classes: Sequence[Synonyms]) -> str:
    first: dict[str, int] = {}
    pairs = []
    for index, names in enumerate(classes):
        key = normal_name(names[0]) if names else ""
        if key in first:
            pairs.append((first[key], index))
        first.setdefault(key, index)
    if not pairs:
        return ""
    examples = ", ".join(
        f"{before + 1} and {after + 1} ({shown_name(classes[before][0])}, {shown_name(classes[after][0])})"
        for before, after in pairs[:_SHOWN]
    )
    return (
        f"{len(pairs)} {'class has' if len(pairs) == 1 else 'classes have'} the name of another class, {examples}"
        f"{' …' if len(pairs) > _SHOWN else ''}, and only one of two such classes can be predicted; rename or remove it"
    )


def _shared(classes: Sequence[Synonyms]) -> str:
    """Note for ``cat,kitten; kitten``, where a synonym is also a name of another class."""
    users = Counter(key for names in classes for key in {*map(normal_name, names)})
    synonyms = [name for names in classes for name in names[1:]]
    shared = list(dict.fromkeys(name for name in synonyms if users[normal_name(name)] > 1))
    if not shared:
        return ""
    return f"{_names(len(shared))} of several classes, such as {shown_examples(shared)}; keep each in one class"


def _unreadable(classes: Sequence[Synonyms]) -> list[str]:
    names = [name for synonyms in classes for name in synonyms]
    kinds = {
        "with characters that cannot be seen": [name for name in names if not name.isprintable()],
        "in quotes or brackets, which CLIP reads as such": [name for name in names if name[:1] in tuple("\"'[{")],
        "without a letter or digit": [name for name in names if not any(map(str.isalnum, name))],
        "with underscores, which CLIP reads as such (write spaces)": [name for name in names if "_" in name],
    }
    return [f"{_names(len(odd))} {kind}, such as {shown_examples(odd)}" for kind, odd in kinds.items() if odd]


def _names(count: int) -> str:
    return "1 name" if count == 1 else f"{count} names"


def _many(classes: Sequence[Synonyms]) -> str:
    if len(classes) < MANY_CLASSES:
        return ""
    gigabytes = len(classes) * 1024 * 1024 * 4 / 1e9
    return f"the scores of an image of 1024×1024 pixels need {gigabytes:.0f} GB of memory with so many classes"
