"""Normal form of names, and the warnings about names that are probably not meant as they are written."""

import logging
import re

import pytest

from frozenseg.errors import DataError
from frozenseg.vocabulary import Vocabulary
from frozenseg.vocabulary.name_checks import name_notes
from frozenseg.vocabulary.names import letters_of, normal_name
from frozenseg.vocabulary.vocabulary import MAX_NAME_LENGTH, MAX_NAMES


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("Traffic_Light", "traffic light"),
        (" traffic\u00a0 light\t", "traffic light"),
        ("_background_", "background"),
        ("bow_(decorative_ribbons)", "bow (decorative ribbons)"),
        ("wall-other-merged", "wall-other-merged"),
        ("cafe\u0301", "café"),
        ("\ufeffcat\u200b", "cat"),
        ("___", ""),
    ],
)
def test_normal_names(name: str, normal: str) -> None:
    assert normal_name(name) == normal
    assert normal_name(normal) == normal


def test_letters() -> None:
    assert letters_of("wall-other-merged") == letters_of("Wall") == "wall"
    assert letters_of("alarm_clock") == letters_of("alarm clock") == "alarmclock"
    assert letters_of("!!") == "!!"


def test_normalized_vocabularies() -> None:
    vocabulary = Vocabulary((("Traffic_Light", "Ampel"), ("___",)), (True, False))
    assert vocabulary.normalized() == Vocabulary((("traffic light", "ampel"), ("___",)), (True, False))


def test_spellings_of_seen_names() -> None:
    training = Vocabulary.parse("traffic light; CD player")
    vocabulary = Vocabulary((("Traffic_Light",), ("cd player",), ("cd",)), (True,) * 3)
    assert vocabulary.seen_by(training) == (False, False, False)
    assert vocabulary.seen_by(training, normalize=True) == (True, True, False)


@pytest.mark.parametrize(
    ("text", "notes"),
    [
        ("cat; dog,puppy", []),
        ("cat", []),
        ("猫; собака; 4x4", []),
        ("cat,dog,tree", ["'cat', 'dog', 'tree' are names of this one class; separate .* if 3 classes were meant"]),
        ("cat; dog; Cat", [r"1 class has the name of another class, 1 and 3 \('cat', 'Cat'\)"]),
        ("a b; a_b; A  B", [r"2 classes have .*, 1 and 2 .*, 1 and 3", "1 name with underscores"]),
        ("cat\u200b; dog", [r"1 name with characters that cannot be seen, such as 'cat\\u200b'"]),
        ("cat\tdog; x", [r"1 name with characters that cannot be seen, such as 'cat\\tdog'"]),
        ("cat,kitten; Kitten; dog", ["1 name of several classes, such as 'kitten'; keep each in one class"]),
        ("cat,pet; dog,pet; pet,cat", ["2 names of several classes, such as 'pet', 'cat'"]),
        ("cat,cat; dog", []),
        ('["cat"; dog', [r"1 name in quotes or brackets, .*, such as '\["]),
        ("!!; ...; cat", [r"2 names without a letter or digit, such as '!!', '\.\.\.'"]),
        ("; ".join(f"class {i}" for i in range(5000)), ["1024×1024 pixels need 21 GB of memory"]),
    ],
)
def test_notes(text: str, notes: list[str]) -> None:
    result = name_notes(Vocabulary.parse(text).classes)
    assert len(result) == len(notes)
    for note, pattern in zip(result, notes, strict=True):
        assert re.search(pattern, note)


def test_one_warning_for_all_notes(caplog: pytest.LogCaptureFixture) -> None:
    for _ in range(2):
        Vocabulary.parse("sheep_dog; Sheep dog; ??")
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().startswith("The vocabulary was understood as 3 classes: 1 class has the name of another")
    assert "'sheep_dog', 'Sheep dog'" in record.getMessage()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a;" * 5_000_000, f"has 5000000 names, expected at most {MAX_NAMES}"),
        ("a," * 5_000_000, f"has 5000000 names, expected at most {MAX_NAMES}"),
        ("a" * 10_000_000, f"Class 1 .* a name of 10000000 characters, expected at most {MAX_NAME_LENGTH}"),
        ("a" * 5_000_000 + ",,", "Class 1 of the vocabulary has an empty name"),
    ],
)
def test_long_texts_are_refused_in_a_sentence(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message) as error:
        Vocabulary.parse(text)
    assert len(str(error.value)) < 400
