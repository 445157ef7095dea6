"""Vocabularies: parsing, synonyms, seen and unseen classes, the shuffled control."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from frozenseg.errors import ConfigError, DataError
from frozenseg.vocabulary import TEMPLATES, Vocabulary


def test_text_becomes_classes_and_synonyms() -> None:
    vocabulary = Vocabulary.parse(" cat, kitten;traffic light ;", stuff=["traffic light"])
    assert vocabulary.classes == (("cat", "kitten"), ("traffic light",))
    assert vocabulary.isthing == (True, False)
    assert vocabulary.names == ("cat", "traffic light")
    assert vocabulary.synonyms == ("cat", "kitten", "traffic light")
    assert vocabulary.synonym_counts == (2, 1)
    assert len(vocabulary) == 2


def test_lines_separate_classes_as_in_files() -> None:
    expected = (("cat", "kitten"), ("dog",), ("tree",))
    for text in ("cat,kitten\ndog\ntree\n", "cat,kitten;\r\ndog;\r\n\r\n tree;", "\ncat,kitten; dog\ntree"):
        assert Vocabulary.parse(text).classes == expected


def test_prompts_are_name_by_name() -> None:
    prompts = Vocabulary.parse("cat,kitten").prompts()
    assert len(prompts) == 28
    assert prompts[0] == "a photo of a cat."
    assert prompts[14:16] == ["a photo of a kitten.", "This is a photo of a kitten"]
    assert len(set(TEMPLATES)) == 14


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The vocabulary is empty"),
        (" ; ", "The vocabulary is empty"),
        (";;", "Class 1 of the vocabulary has an empty name"),
        ("cat;;dog", "Class 2 of the vocabulary has an empty name"),
        ("cat,,kitten", r"Class 1 .*received 'cat,,kitten'"),
    ],
)
def test_what_names_nothing_is_refused(text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        Vocabulary.parse(text)


def test_stuff_must_be_in_the_vocabulary() -> None:
    with pytest.raises(DataError, match="not in the vocabulary: sky"):
        Vocabulary.parse("cat", stuff=["sky"])
    with pytest.raises(DataError, match="2 classes but 1 thing/stuff flags"):
        Vocabulary.from_strings(["cat", "dog"], [True])


def test_seen_means_a_shared_name_to_the_letter() -> None:
    training = Vocabulary.parse("car,automobile; sky")
    assert Vocabulary.parse("automobile; Sky; sky,cloud; cars").seen_by(training) == (True, False, True, False)


@pytest.mark.parametrize("things", [1, 2, 3])
def test_the_only_one_of_its_kind_is_shuffled_too(things: int) -> None:
    vocabulary = Vocabulary.from_strings([f"class {index}" for index in range(things + 1)], [True] * things + [False])
    shuffled = vocabulary.shuffled(0)
    assert all(before != after for before, after in zip(vocabulary.classes, shuffled.classes, strict=True))
    assert set(shuffled.classes) == set(vocabulary.classes)
    with pytest.raises(ConfigError, match="cannot be shuffled in a vocabulary with a single class"):
        Vocabulary.parse("cat,kitten").shuffled(0)


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 6), st.integers(2, 6), st.integers(0, 100))
def test_shuffling_moves_every_name_within_its_kind(things: int, stuff: int, seed: int) -> None:
    names = [f"class {index}" for index in range(things + stuff)]
    vocabulary = Vocabulary.from_strings(names, [True] * things + [False] * stuff)
    shuffled = vocabulary.shuffled(seed)
    assert shuffled == vocabulary.shuffled(seed)
    assert all(before != after for before, after in zip(vocabulary.classes, shuffled.classes, strict=True))
    assert set(shuffled.classes[:things]) == set(vocabulary.classes[:things])
    assert shuffled.isthing == vocabulary.isthing


def test_lists_become_tuples_that_can_be_hashed() -> None:
    vocabulary = Vocabulary([["cat", "kitten"], ["sky"]], [True, False])  # type: ignore[arg-type, list-item]
    assert vocabulary == Vocabulary((("cat", "kitten"), ("sky",)), (True, False))
    assert hash(vocabulary.classes)


@pytest.mark.parametrize("classes", ["cat", ["cat"], [("cat", 3)]])
def test_classes_that_are_no_sequences_of_names_are_refused(classes: object) -> None:
    with pytest.raises(DataError, match="expected"):
        Vocabulary(classes, (True,))  # type: ignore[arg-type]
