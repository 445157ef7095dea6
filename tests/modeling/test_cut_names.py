"""Class names that are longer than CLIP's 77 tokens."""

import logging

import open_clip
import pytest

from frozenseg.modeling.clip.cut_names import cut_name_notes, warn_of_cut_names
from frozenseg.vocabulary import Vocabulary

START = "a large and very old object that is " * 9
TOKENIZER = open_clip.get_tokenizer("RN50")


def notes(*classes: str) -> list[str]:
    return cut_name_notes(TOKENIZER, Vocabulary.from_strings(classes))


def test_names_that_differ_behind_77_tokens_only() -> None:
    cut, alike = notes(f"{START}red circle", "cat", f"{START}blue star")
    assert cut.startswith("the end of 2 of 3 names is not read, 'a large and very old object that is a la…'")
    assert alike == "classes 1 and 3 are the same to the model, as the names differ behind it only"


def test_synonyms_of_one_class_may_be_alike() -> None:
    [cut] = notes(f"{START}red,{START}blue", "cat")
    assert "2 of 3 names" in cut


@pytest.mark.parametrize("name", ["cat", "w " * 60, "a piece of furniture with four legs and a flat top for meals"])
def test_names_that_fit(name: str) -> None:
    assert notes(name, "dog") == []


def test_letters_of_several_tokens_are_counted() -> None:
    assert "the end of 1 of 2 names is not read" in notes("猫" * 40, "dog")[0]


def test_one_warning(caplog: pytest.LogCaptureFixture) -> None:
    vocabulary = Vocabulary.from_strings([f"{START}one", f"{START}two"])
    for _ in range(2):
        warn_of_cut_names(TOKENIZER, vocabulary)
    [record] = caplog.records
    assert record.levelno == logging.WARNING
    assert record.getMessage().endswith("as the names differ behind it only. Shorten the names.")
