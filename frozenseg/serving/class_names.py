"""Class names in requests, within the limits; a text is never taken as a path."""

from collections.abc import Iterable
from http import HTTPStatus

from frozenseg.inference.auto_vocabulary import AUTO, requested_vocabulary
from frozenseg.inference.named_vocabularies import named_vocabulary
from frozenseg.inference.vocabulary_inputs import make_vocabulary, stuff_names
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.settings import ServerLimits
from frozenseg.vocabulary import Vocabulary

ClassNamesLike = str | list[str | list[str]] | dict[str, list[str]]
LONGEST_BENCHMARK_NAME = 40  # characters


def requested_classes(
    classes: ClassNamesLike, stuff: str | list[str], limits: ServerLimits, auto_names: tuple[str, ...]
) -> Vocabulary:
    """Return the vocabulary of a request.

    Args:
        classes: ``"cat,kitten; dog"``, ``["cat,kitten", "dog"]``, ``{"cat": ["kitten"]}``, the name of a benchmark, or
            ``auto``.
        stuff: first names of the classes that are not countable.
        limits: of the server.
        auto_names: named vocabularies whose union is ``auto``.

    Raises:
        RequestRefusedError: too many names, or too long ones.
        DataError: no class, a class without a name, or an unknown name in ``stuff``.
    """
    _check_length(classes, stuff, limits)
    if isinstance(classes, str) and classes.strip() == AUTO:
        return requested_vocabulary(AUTO, stuff, auto_names)
    if isinstance(classes, str) and len(classes) <= LONGEST_BENCHMARK_NAME and named_vocabulary(classes) is not None:
        return make_vocabulary(classes, stuff)
    vocabulary = (
        Vocabulary.parse(classes, stuff_names(stuff)) if isinstance(classes, str) else make_vocabulary(classes, stuff)
    )
    count = len(vocabulary.synonyms)
    if count > limits.names:
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST,
            f"The vocabulary has {count} names, expected at most {limits.names}: send the names that the image may "
            "have, or start the server with --max-names.",
        )
    return vocabulary


def _check_length(classes: ClassNamesLike, stuff: str | list[str], limits: ServerLimits) -> None:
    characters = sum(map(len, _texts(classes))) + sum(map(len, _texts(stuff)))
    if characters > limits.characters:
        raise RequestRefusedError(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"The class names have {characters} characters, expected at most {limits.characters}: send fewer.",
        )


def _texts(names: ClassNamesLike | list[str]) -> Iterable[str]:
    """Yield every text in class names."""
    if isinstance(names, str):
        yield names
    elif isinstance(names, dict):
        for name, synonyms in names.items():
            yield name
            yield from synonyms
    else:
        for each in names:
            yield from [each] if isinstance(each, str) else each
