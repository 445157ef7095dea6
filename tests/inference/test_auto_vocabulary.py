"""The vocabulary ``auto``: names with evidence, and results with the indices of all names."""

import numpy as np
import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.auto_vocabulary import (
    AutoVocabulary,
    auto_vocabulary,
    requested_vocabulary,
)
from frozenseg.inference.named_vocabularies import union_of_vocabularies
from frozenseg.inference.predictor import Segmenter
from frozenseg.toyworld.samples import sample_scene
from frozenseg.vocabulary import Vocabulary


def test_auto_is_the_union_or_toyworld() -> None:
    assert auto_vocabulary().classes == union_of_vocabularies().classes
    toyworld = auto_vocabulary(("toyworld_wide",))
    assert len(toyworld) == 6 * 8 * 4 + 8  # colours, shapes and patterns; materials
    assert toyworld.isthing.count(False) == 8
    assert isinstance(requested_vocabulary(" auto ", ()), AutoVocabulary)
    assert type(requested_vocabulary("autobus", ())) is Vocabulary
    with pytest.raises(DataError, match="stuff is 'grass', but the vocabulary 'auto' has its stuff"):
        requested_vocabulary("auto", "grass")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu")


def test_names_of_a_scene_come_from_the_image(segmenter: Segmenter) -> None:
    result = segmenter(sample_scene(size=192), "auto")
    assert len(result.vocabulary) == 200
    assert "water" in result.present
    assert 2 <= len(result.present) <= 8
    labels = {segment["category_id"] for segment in result.panoptic[1]}
    assert {result.vocabulary.names[label] for label in labels} == set(result.present)
    assert 0 <= int(result.semantic.min()) <= int(result.semantic.max()) < 200
    assert len(result.absent) == 200 - len(result.present)


def test_an_image_of_noise_has_few_names(segmenter: Segmenter) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8))
    assert len(segmenter(noise, "auto", outputs="panoptic").present) <= 3


def test_one_word_on_a_scene_without_it_gives_nothing(segmenter: Segmenter) -> None:
    scene = sample_scene(size=192)
    embedded = segmenter.embed(scene)
    for name in ("striped green square", "red heart", "sand"):
        result = segmenter.classify(embedded, name)
        assert result.segments == []
        assert result.absent == (name,)
    assert segmenter.classify(embedded, "stuff: water").present == ("water",)
