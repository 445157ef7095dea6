"""The words that a model is asked for: classes, their synonyms, and which of them are countable things."""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from frozenseg.errors import ConfigError, DataError
from frozenseg.vocabulary.templates import TEMPLATES


@dataclass(frozen=True)
class Vocabulary:
    """Classes in order, each with one or more names.

    Attributes:
        classes: the synonyms of each class, the first one is its name in reports.
        isthing: whether each class is countable (thing) or not (stuff).
    """

    classes: tuple[tuple[str, ...], ...]
    isthing: tuple[bool, ...]

    def __post_init__(self) -> None:
        """Refuse an empty vocabulary and a class without a name."""
        if not self.classes:
            raise DataError("The vocabulary is empty: give at least one class, for example 'cat,kitten; dog'.")
        for index, synonyms in enumerate(self.classes):
            if not synonyms or not all(name.strip() for name in synonyms):
                raise DataError(
                    f"Class {index + 1} of the vocabulary has an empty name (received {','.join(synonyms)!r}): "
                    "separate classes by ';' and synonyms by ',' with a word between any two."
                )
        if len(self.isthing) != len(self.classes):
            raise DataError(f"{len(self.classes)} classes but {len(self.isthing)} thing/stuff flags.")

    @classmethod
    def parse(cls, text: str, stuff: Iterable[str] = ()) -> "Vocabulary":
        """Read ``"cat,kitten; dog"``: classes separated by ``;``, synonyms by ``,``.

        Args:
            text: the words.
            stuff: first names of the classes that are stuff; all others are things.
        """
        body = text.strip().removesuffix(";")
        return cls.from_strings(body.split(";") if body.strip() else [], stuff=stuff)

    @classmethod
    def from_strings(
        cls, classes: Sequence[str], isthing: Sequence[bool] | None = None, stuff: Iterable[str] = ()
    ) -> "Vocabulary":
        """Build from one comma-separated string a class, such as ``["cat,kitten", "sky"]``.

        Args:
            classes: the strings; spaces around a name are dropped, spaces inside it stay.
            isthing: one flag a class; without it every class is a thing but those in ``stuff``.
            stuff: first names of the classes that are stuff.
        """
        synonyms = tuple(tuple(name.strip() for name in text.split(",")) for text in classes)
        stuff_names = set(stuff)
        if unknown := stuff_names - {names[0] for names in synonyms}:
            raise DataError(f"Stuff classes that are not in the vocabulary: {', '.join(sorted(unknown))}.")
        flags = tuple(names[0] not in stuff_names for names in synonyms) if isthing is None else tuple(isthing)
        return cls(synonyms, tuple(bool(flag) for flag in flags))

    @property
    def names(self) -> tuple[str, ...]:
        """The first name of each class."""
        return tuple(synonyms[0] for synonyms in self.classes)

    @property
    def synonyms(self) -> tuple[str, ...]:
        """All names of all classes, class by class: one row of the text classifier each."""
        return tuple(name for synonyms in self.classes for name in synonyms)

    @property
    def synonym_counts(self) -> tuple[int, ...]:
        """How many names each class has."""
        return tuple(len(synonyms) for synonyms in self.classes)

    def prompts(self, templates: Sequence[str] = TEMPLATES) -> list[str]:
        """Return every name in every template, name by name."""
        return [template.format(name) for name in self.synonyms for template in templates]

    def seen_by(self, training: "Vocabulary") -> tuple[bool, ...]:
        """Tell which classes training has shown: any name equals, to the letter, any name of a training class."""
        known = set(training.synonyms)
        return tuple(any(name in known for name in synonyms) for synonyms in self.classes)

    def shuffled(self, seed: int) -> "Vocabulary":
        """Return the control: no class keeps its own names, things swap with things and stuff with stuff.

        Where one class is the only one of its kind, all swap with all. A model that reads the words must fail with it;
        one that has only learned an order of classes would not.

        Raises:
            ConfigError: there is one class alone, and no other name for it.
        """
        if len(self) == 1:
            raise ConfigError(
                "There is one class alone, and no other name for it: set TEST.SHUFFLE_CLASS_NAMES to False."
            )
        names = list(self.classes)
        kinds = [[index for index, isthing in enumerate(self.isthing) if isthing == kind] for kind in (True, False)]
        if any(len(places) == 1 for places in kinds):
            kinds = [list(range(len(self)))]
        for places in kinds:
            order = list(places)
            random.Random(seed).shuffle(order)  # noqa: S311 (a shuffle, no secret)
            for place, following in zip(order, order[1:] + order[:1], strict=True):  # one cycle: nothing stays
                names[place] = self.classes[following]
        return Vocabulary(tuple(names), self.isthing)

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.classes)
