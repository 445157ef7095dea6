"""Sentences are true of the views that show all they speak of, and of no others."""

import numpy as np
import pytest

from frozenseg.toyworld.categories import all_categories
from lab.pretraining.sentences import Sentence, describe, true_of, words_of

BY_NAME = {category.name: category for category in all_categories()}
CIRCLE, STRIPED, STAR, GRASS = (
    BY_NAME[name] for name in ("blue circle", "striped blue circle", "dotted green star", "grass")
)


def sentence_of(*names: str) -> Sentence:
    return Sentence(" ".join(names), tuple(frozenset(name.split()) for name in names))


def test_a_plain_thing_says_that_it_is_plain():
    assert words_of(CIRCLE) == {"plain", "blue", "circle"}
    assert words_of(GRASS) == {"grass"}


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        (sentence_of("plain blue circle"), [True, False, False, True]),  # the striped one is another thing
        (sentence_of("circle"), [True, True, False, True]),
        (sentence_of("striped"), [False, True, False, False]),
        (sentence_of("grass"), [False, False, False, True]),
        (sentence_of("circle", "grass"), [False, False, False, True]),  # all of it must be there
        (sentence_of("green circle"), [False, False, False, False]),  # in one thing
    ],
    ids=lambda value: value.text if isinstance(value, Sentence) else "",
)
def test_what_sentences_are_true_of(sentence: Sentence, expected: list[bool]):
    views = [(CIRCLE,), (STRIPED,), (STAR,), (GRASS, CIRCLE, STAR)]
    assert true_of(views, [sentence])[:, 0].tolist() == expected


def test_every_sentence_is_true_of_its_own_view():
    rng = np.random.default_rng(0)
    views = [(CIRCLE,), (STRIPED,), (STAR,), (GRASS,), (GRASS, CIRCLE, STAR)] * 20
    sentences = [describe(rng, view) for view in views]
    assert true_of(views, sentences).diagonal().all()


@pytest.mark.parametrize(
    ("part", "words", "ending"),
    [
        ("whole", {"striped", "blue", "circle"}, "striped blue circle"),
        ("shape", {"circle"}, "circle"),
        ("colour", {"blue"}, "blue thing"),
        ("pattern", {"striped"}, "striped thing"),
    ],
)
def test_things_are_called_by_their_name_or_one_word(part: str, words: set[str], ending: str):
    sentences = [describe(np.random.default_rng(seed), (STRIPED,), part) for seed in range(20)]
    assert {sentence.word_sets for sentence in sentences} == {(frozenset(words),)}
    assert ending in {sentence.text for sentence in sentences}  # half of them have no template


def test_scenes_are_told_in_words_that_are_in_the_sentence():
    sentence = describe(np.random.default_rng(1), (GRASS, STAR))
    assert "dotted green star" in sentence.text
    assert any(name in sentence.text for name in GRASS.names)
    assert set(sentence.word_sets) == {words_of(GRASS), words_of(STAR)}
