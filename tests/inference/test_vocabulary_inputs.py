"""Vocabularies in every type that a user may have them in, and a sentence for everything else."""

from pathlib import Path
from typing import Any

import pytest

from frozenseg.errors import DataError
from frozenseg.inference.vocabulary_inputs import make_vocabulary, stuff_names
from frozenseg.vocabulary import Vocabulary

EXPECTED = Vocabulary((("cat", "kitten"), ("hot dog",), ("grass",)), (True, True, False))


@pytest.mark.parametrize(
    "vocabulary",
    [
        "cat,kitten; hot dog; grass",
        ["cat,kitten", "hot dog", "grass"],
        (" cat , kitten ", " hot dog", "grass"),
        [["cat", "kitten"], ("hot dog",), "grass"],
        {"cat": "kitten", "hot dog": "", "grass": None},
        {"cat": ["kitten"], "hot dog": [], "grass": ()},
        {"cat": ["cat", "kitten"], "hot dog": "hot dog", "grass": ["grass"]},
    ],
)
@pytest.mark.parametrize("stuff", ["grass", " grass ;", ["grass"], {"grass"}, ("grass",), iter(["grass"])])
def test_one_vocabulary_in_many_types(vocabulary: Any, stuff: Any) -> None:
    stuff = ["grass"] if not isinstance(stuff, (str, list, set, tuple)) else stuff  # an iterator is read once
    assert make_vocabulary(vocabulary, stuff) == EXPECTED


def test_a_vocabulary_and_a_file_have_flags(tmp_path: Path) -> None:
    assert make_vocabulary(EXPECTED) is EXPECTED
    file = tmp_path / "classes.tsv"
    file.write_text("id\tname\tsynonyms\tisthing\n1\tcat\tcat,kitten\t1\n2\thot dog\t\t1\n3\tgrass\t\t0\n")
    assert make_vocabulary(file) == EXPECTED
    with pytest.raises(DataError, match=r"is the path of a file, expected class names: pass Path\("):
        make_vocabulary(str(file))


def test_names_of_stuff() -> None:
    assert stuff_names("sky; grass;") == ["sky", "grass"]
    assert stuff_names(None) == []
    assert stuff_names(name for name in ["sky"]) == ["sky"]


@pytest.mark.parametrize(
    ("vocabulary", "stuff", "message"),
    [
        (None, (), "The vocabulary is None, expected 'cat,kitten; dog'"),
        (3, (), r"The vocabulary is 3 \(int\)"),
        (b"cat", (), r"is b'cat' \(bytes\)"),
        ({"cat"}, (), r"\(set\).*classes have no order, pass a list"),
        ((name for name in ["cat"]), (), r"\(generator\)"),
        ([], (), r"vocabulary is empty \(\[\]\)"),
        ({}, (), "vocabulary is empty"),
        ("", (), "vocabulary is empty"),
        (["cat", 3], (), r"Class 2 of the vocabulary is 3 \(int\)"),
        (["cat", ["dog", None]], (), "Class 2 of the vocabulary is"),
        (["cat", []], (), r"Class 2 of the vocabulary is \[\]"),
        (["cat; dog"], (), "';' separates classes: pass one element a class"),
        (["cat", " "], (), "Class 2 of the vocabulary has an empty name"),
        (["cat,,dog"], (), r"empty name \(received 'cat,,dog'\)"),
        ({0: "cat"}, (), r"has the key 0 \(int\).*list\(names\.values\(\)\)"),
        ({"cat": 0}, (), r"The synonyms of 'cat' in the vocabulary are 0 \(int\).*list\(names\)"),
        ({"cat": ["kitten", 1]}, (), "The synonyms of 'cat'"),
        ("cat; wood", "woods", "The stuff class 'woods' is not in the vocabulary. Did you mean 'wood'"),
        ("cat; wood,forest", ["forest"], "It is a synonym of 'wood'"),
        ("cat; wood", "wood, cat", "'wood, cat' is not in the vocabulary.*several with ';'"),
        ("cat", 3, r"stuff is 3 \(int\), expected names"),
        ("cat", b"cat", "stuff is b'cat'"),
        ("cat", [1], r"stuff has the element 1 \(int\)"),
        (EXPECTED, "grass", "is a Vocabulary with flags: set its isthing, and omit stuff"),
    ],
)
def test_what_is_no_vocabulary_is_one_sentence(vocabulary: Any, stuff: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        make_vocabulary(vocabulary, stuff)
    assert "--" not in str(caught.value)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(DataError) as caught:
        make_vocabulary(set(map(str, range(9999))))  # type: ignore[arg-type]
    assert len(str(caught.value)) < 300
