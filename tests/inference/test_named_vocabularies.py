"""Vocabularies of benchmarks by name, their union, and marks of things and stuff."""

import pytest

from frozenseg.errors import DataError
from frozenseg.inference.named_vocabularies import (
    LARGE,
    TABLES,
    named_vocabulary,
    union_of_vocabularies,
    vocabulary_names,
)
from frozenseg.inference.vocabulary_inputs import make_vocabulary
from frozenseg.vocabulary import Vocabulary

SIZES = {"coco": 133, "ade20k": 150, "ade20k_847": 847, "lvis": 1203, "pc59": 59, "pc459": 459, "voc": 21,
         "cityscapes": 19, "mapillary": 65, "toyworld": 42}  # fmt: skip


@pytest.mark.parametrize(("name", "size"), SIZES.items())
def test_a_benchmark_has_its_classes(name: str, size: int) -> None:
    assert len(make_vocabulary(name)) == size


def test_every_table_has_a_name() -> None:
    assert set(vocabulary_names()) == {*TABLES, "toyworld", "toyworld_wide"}
    assert all(named_vocabulary(name) for name in TABLES)


@pytest.mark.parametrize("spelling", ["ADE20K", " ade20k ", "ade20k-150", "ade 20k 150"])
def test_spellings_of_a_name(spelling: str) -> None:
    if spelling == "ade 20k 150":
        with pytest.raises(DataError, match="Did you mean"):
            make_vocabulary(spelling)
    else:
        assert make_vocabulary(spelling) == named_vocabulary("ade20k")


def test_flags_and_synonyms_come_with_the_names() -> None:
    coco = make_vocabulary("coco")
    assert coco.classes[0][:2] == ("person", "people")
    assert sum(coco.isthing) == 80
    assert sum(make_vocabulary("coco", stuff="person").isthing) == 79


@pytest.mark.parametrize("text", ["ade20kk", "ade20k_874", "mapilary", "toyword", "cityscpaes"])
def test_misspelt_names_are_refused(text: str) -> None:
    with pytest.raises(DataError, match=rf"Unknown vocabulary '{text}'. Did you mean .* pass a list: \['{text}'\]"):
        make_vocabulary(text)
    assert make_vocabulary([text]).names == (text,)


@pytest.mark.parametrize("text", ["cityscape", "cocoa", "a voc", "747", "toy world", "lvis; dog"])
def test_other_texts_are_classes(text: str) -> None:
    assert make_vocabulary(text).names[0] == text.split(";")[0]


def test_the_union_has_every_class_once() -> None:
    union = union_of_vocabularies()
    names = {name for benchmark in LARGE for name in make_vocabulary(benchmark).normalized().names}
    assert set(union.names) == names
    assert len(union.synonyms) == len(set(union.synonyms))  # no name belongs to two classes
    assert 1900 < len(union) < 2600
    assert union.isthing[union.names.index("person")] is True
    assert union.isthing[union.names.index("sky")] is False


@pytest.mark.parametrize(
    "vocabulary", ["cat; stuff: grass, lawn; thing: dog", ["cat", "stuff:grass,lawn", "Thing: dog"]]
)
def test_marks_of_stuff(vocabulary: str | list[str]) -> None:
    expected = Vocabulary((("cat",), ("grass", "lawn"), ("dog",)), (True, False, True))
    assert make_vocabulary(vocabulary) == expected


def test_a_mark_needs_a_name() -> None:
    with pytest.raises(DataError, match="Class 2 of the vocabulary has an empty name"):
        make_vocabulary("cat; stuff:")
