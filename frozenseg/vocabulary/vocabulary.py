"""Vocabulary: ordered classes with synonyms and thing/stuff flags."""

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frozenseg.errors import ConfigError, DataError
from frozenseg.vocabulary.marks import split_mark
from frozenseg.vocabulary.name_checks import warn_of_names
from frozenseg.vocabulary.names import normal_name
from frozenseg.vocabulary.templates import TEMPLATES

MAX_NAMES = 100_000  # each is encoded in 14 templates
MAX_NAME_LENGTH = 1000  # characters


@dataclass(frozen=True)
class Vocabulary:
    """Classes in order, each with one or more names.

    Attributes:
        classes: synonyms of each class; the first one is its name in reports.
        isthing: True for each countable class (thing), False for stuff.
    """

    classes: tuple[tuple[str, ...], ...]
    isthing: tuple[bool, ...]

    def __post_init__(self) -> None:
        """Raise DataError for an empty or too large vocabulary, a wrong name, or a wrong number of flags."""
        object.__setattr__(self, "classes", _as_tuples(self.classes))  # lists would not be hashable
        object.__setattr__(self, "isthing", tuple(self.isthing))
        _refuse_too_many(sum(map(len, self.classes)))
        if not self.classes:
            raise DataError("The vocabulary is empty: give at least one class, for example 'cat,kitten; dog'.")
        for index, synonyms in enumerate(self.classes):
            if not synonyms or not all(name.strip() for name in synonyms):
                raise DataError(
                    f"Class {index + 1} of the vocabulary has an empty name (received {','.join(synonyms)[:60]!r}): "
                    "separate classes with ';' and synonyms with ',', without empty names between them."
                )
            if (longest := max(map(len, synonyms))) > MAX_NAME_LENGTH:
                raise DataError(
                    f"Class {index + 1} of the vocabulary has a name of {longest} characters, expected at most "
                    f"{MAX_NAME_LENGTH}, as CLIP reads 77 tokens, about 300 characters: shorten it, or separate "
                    "classes with ';' and synonyms with ','."
                )
        if len(self.isthing) != len(self.classes):
            raise DataError(
                f"The vocabulary has {len(self.classes)} classes but {len(self.isthing)} thing/stuff flags: give one "
                "flag for each class."
            )

    @classmethod
    def parse(cls, text: str, stuff: Iterable[str] = ()) -> "Vocabulary":
        """Read ``"cat,kitten; stuff: grass"``: classes separated by ``;`` or lines, synonyms by ``,``.

        Args:
            text: class names; a class that begins with ``stuff:`` is a stuff class, ``thing:`` is the default.
            stuff: first names of the stuff classes; all others are things.
        """
        _refuse_too_many(sum(map(text.count, ";,\n")))
        body = ";".join(line.strip().removesuffix(";") for line in re.split(r"[\r\n]", text) if line.strip())
        marked = [split_mark(each) for each in body.split(";")] if body.strip() else []
        in_text = [names.split(",")[0].strip() for names, isthing in marked if isthing is False]
        vocabulary = cls.from_strings([names for names, _ in marked], stuff={*stuff, *in_text})
        warn_of_names(vocabulary.classes)
        return vocabulary

    @classmethod
    def from_strings(
        cls, classes: Sequence[str], isthing: Sequence[bool] | None = None, stuff: Iterable[str] = ()
    ) -> "Vocabulary":
        """Build from one comma-separated string per class, such as ``["cat,kitten", "sky"]``.

        Args:
            classes: strings; spaces around a name are removed, spaces inside it are kept.
            isthing: one flag per class; if None, every class is a thing except those in ``stuff``.
            stuff: first names of the stuff classes.

        Raises:
            DataError: the vocabulary is empty, a name is empty, or ``stuff`` has an unknown name.
        """
        _refuse_too_many(sum(text.count(",") + 1 for text in classes))
        synonyms = tuple(tuple(name.strip() for name in text.split(",")) for text in classes)
        stuff_names = set(stuff)
        if unknown := stuff_names - {names[0] for names in synonyms}:
            raise DataError(
                f"Stuff classes that are not in the vocabulary: {', '.join(sorted(unknown))}. Give the first name of "
                "each stuff class."
            )
        flags = tuple(names[0] not in stuff_names for names in synonyms) if isthing is None else tuple(isthing)
        return cls(synonyms, tuple(bool(flag) for flag in flags))

    @property
    def names(self) -> tuple[str, ...]:
        """The first name of each class."""
        return tuple(synonyms[0] for synonyms in self.classes)

    @property
    def synonyms(self) -> tuple[str, ...]:
        """All names of all classes, class by class; the text classifier has one embedding for each."""
        return tuple(name for synonyms in self.classes for name in synonyms)

    @property
    def synonym_counts(self) -> tuple[int, ...]:
        """Number of names of each class."""
        return tuple(len(synonyms) for synonyms in self.classes)

    def prompts(self, templates: Sequence[str] = TEMPLATES) -> list[str]:
        """Return every name in every template, name by name.

        Args:
            templates: sentences with ``{}`` for the name.
        """
        return [template.format(name) for name in self.synonyms for template in templates]

    def seen_by(self, training: "Vocabulary", normalize: bool = False) -> tuple[bool, ...]:
        """Return one flag for each class: True if one of its names is exactly a name of a training class.

        Args:
            training: vocabulary of the training data.
            normalize: count ``Traffic_Light`` and ``traffic light`` as one name, see :func:`normal_name`.
        """
        key = normal_name if normalize else str
        known = set(map(key, training.synonyms))
        return tuple(any(key(name) in known for name in synonyms) for synonyms in self.classes)

    def normalized(self) -> "Vocabulary":
        """Return the vocabulary with names in lower case and spaces for underscores; see :func:`normal_name`."""
        classes = tuple(tuple(normal_name(name) or name for name in synonyms) for synonyms in self.classes)
        return Vocabulary(classes, self.isthing)

    def shuffled(self, seed: int) -> "Vocabulary":
        """Return a vocabulary in which every class has the names of another class, as a control experiment.

        Names are permuted among things and among stuff, or among all classes if there is only one class of a kind. A
        model that uses the text embeddings gets low scores with it; one that ignores them does not.

        Args:
            seed: seed of the permutation.

        Raises:
            ConfigError: the vocabulary has a single class.
        """
        if len(self) == 1:
            raise ConfigError(
                "Class names cannot be shuffled in a vocabulary with a single class: set TEST.SHUFFLE_CLASS_NAMES to "
                "False."
            )
        names = list(self.classes)
        kinds = [[index for index, isthing in enumerate(self.isthing) if isthing == kind] for kind in (True, False)]
        if any(len(indices) == 1 for indices in kinds):
            kinds = [list(range(len(self)))]
        for order in kinds:
            random.Random(seed).shuffle(order)  # noqa: S311 (a shuffle, no secret)
            for index, following in zip(order, order[1:] + order[:1], strict=True):  # one cycle: no fixed point
                names[index] = self.classes[following]
        return Vocabulary(tuple(names), self.isthing)

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.classes)


def _refuse_too_many(count: int) -> None:
    """Raise DataError if a vocabulary has too many names."""
    if count > MAX_NAMES:
        raise DataError(
            f"The vocabulary has {count} names, expected at most {MAX_NAMES}, as CLIP encodes each in {len(TEMPLATES)} "
            "sentences: give the names of the classes that the images may have."
        )


def _as_tuples(classes: Sequence[Sequence[str]]) -> tuple[tuple[str, ...], ...]:
    """Return the synonyms of each class as tuples; raises DataError for a class that is no sequence of strings."""
    if isinstance(classes, str):
        raise DataError(f"classes is {classes!r:.60}, expected the names of each class: read text by Vocabulary.parse.")
    for synonyms in classes:
        if isinstance(synonyms, str) or not all(isinstance(name, str) for name in synonyms):
            raise DataError(
                f"A class of the vocabulary is {synonyms!r:.60}, expected its names, such as ('cat', 'kitten'): build "
                "the vocabulary from strings by Vocabulary.from_strings."
            )
    return tuple(tuple(synonyms) for synonyms in classes)
