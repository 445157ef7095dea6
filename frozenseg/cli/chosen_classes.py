"""Classes of the command line: names, a file of names, or those of ToyWorld."""

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from frozenseg.errors import DataError
from frozenseg.inference.auto_vocabulary import AUTO, AutoVocabulary, requested_vocabulary
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.named_vocabularies import named_vocabulary
from frozenseg.inference.run_folder import ImageRecord
from frozenseg.inference.run_outputs import sum_of_counts
from frozenseg.inference.vocabulary_inputs import make_vocabulary
from frozenseg.structures.palette import Colour, vocabulary_colours
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.files import VocabularyLine, read_vocabulary_lines
from frozenseg.vocabulary.name_checks import warn_of_names
from frozenseg.vocabulary.names import normal_name


def chosen_classes(
    arguments: argparse.Namespace, usual_classes: str, auto_names: Callable[[], tuple[str, ...]]
) -> OutputClasses:
    """Return the classes of a command line, with the numbers and colours of a file.

    Args:
        arguments: of :func:`frozenseg.cli.image_flags.add_class_names`.
        usual_classes: named vocabulary that is used without class names; empty for none.
        auto_names: returns the named vocabularies of which ``auto`` is the union for the model.

    Raises:
        DataError: no class names, a class is listed twice, or a stuff class is unknown.
    """
    stuff = [name.strip() for name in arguments.stuff.split(";") if name.strip()]
    if arguments.words_file is not None:
        return _of_file(read_vocabulary_lines(arguments.words_file), stuff, str(arguments.words_file))
    if arguments.words is not None:
        return OutputClasses(_of_words(arguments.words, stuff, auto_names))
    if not usual_classes:
        raise DataError('No class names: give them with --words "cat,kitten; dog; grass", or a file with --words-file.')
    if stuff:
        raise DataError(
            f"--stuff {arguments.stuff!r} needs --words or --words-file: the stuff of {usual_classes} is known."
        )
    return OutputClasses(make_vocabulary(usual_classes))


def used_classes(classes: OutputClasses, records: Iterable[ImageRecord]) -> OutputClasses:
    """Return the classes of a data set: of the vocabulary ``auto`` those that have a segment, else all.

    Args:
        classes: of the run.
        records: of the images.
    """
    vocabulary = classes.vocabulary
    if not isinstance(vocabulary, AutoVocabulary):
        return classes
    names = sum_of_counts(records)
    used = [index for index, name in enumerate(vocabulary.names) if name in names] or [0]
    return OutputClasses(
        Vocabulary(tuple(vocabulary.classes[i] for i in used), tuple(vocabulary.isthing[i] for i in used)),
        tuple(classes.ids[i] for i in used),
        tuple(classes.colours[i] for i in used),
    )


def class_settings(classes: OutputClasses) -> dict[str, Any]:
    """Return the classes as settings of a run."""
    vocabulary = classes.vocabulary
    if isinstance(vocabulary, AutoVocabulary):
        return {"words": f"{AUTO} ({len(vocabulary)} names)"}
    return {
        "words": "; ".join(",".join(names) for names in vocabulary.classes),
        "stuff": "; ".join(name for name, thing in zip(vocabulary.names, vocabulary.isthing, strict=True) if not thing),
        "class ids": list(classes.ids),
        "colours": [list(colour) for colour in classes.colours],
    }


def _of_words(text: str, stuff: list[str], auto_names: Callable[[], tuple[str, ...]]) -> Vocabulary:
    """Return the classes of ``--words``: names, the name of a benchmark, or ``auto``."""
    if text.strip() == AUTO:
        return requested_vocabulary(text, stuff, auto_names())
    if named_vocabulary(text) is not None:
        return make_vocabulary(text, stuff)
    return _without_doubles(Vocabulary.parse(text, stuff), "--words")


def _of_file(lines: list[VocabularyLine], stuff: list[str], path: str) -> OutputClasses:
    warn_of_names([line.names for line in lines], path)
    stuff += [line.names[0] for line in lines if line.isthing is False]
    vocabulary = _without_doubles(
        Vocabulary.from_strings([",".join(line.names) for line in lines], stuff=stuff), f"--words-file {path}"
    )
    ids = tuple(line.id for line in lines if line.id is not None)
    return OutputClasses(vocabulary, ids, _colours(lines, vocabulary))


def _colours(lines: list[VocabularyLine], vocabulary: Vocabulary) -> tuple[Colour, ...]:
    """Return the colours of a file; where it has none, those that the names suggest."""
    suggested = vocabulary_colours(vocabulary.names)
    return tuple(line.rgb or colour for line, colour in zip(lines, suggested, strict=True))


def _without_doubles(vocabulary: Vocabulary, source: str) -> Vocabulary:
    """Return a vocabulary whose classes have different first names.

    Raises:
        DataError: a first name is listed twice.
    """
    seen: dict[str, int] = {}
    for number, name in enumerate(vocabulary.names, start=1):
        first = seen.setdefault(normal_name(name) or name, number)
        if first != number:
            raise DataError(
                f"{source} lists {name!r} twice, as class {first} and as class {number}: remove one of them, or "
                "write synonyms of one class as 'cat,kitten'."
            )
    return vocabulary
