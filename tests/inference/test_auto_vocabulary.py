"""The vocabulary ``auto``: names with evidence, and results with the indices of all names."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.auto_vocabulary import (
    AutoVocabulary,
    auto_vocabulary,
    names_with_evidence,
    requested_vocabulary,
)
from frozenseg.inference.named_vocabularies import union_of_vocabularies
from frozenseg.inference.predictor import Segmenter
from frozenseg.toyworld.samples import sample_scene
from frozenseg.vocabulary import Vocabulary

FULL, EMPTY = torch.ones(2, 2), -torch.ones(2, 2)


@pytest.mark.parametrize(
    ("probabilities", "masks", "names"),
    [
        ([[0.1, 0.8, 0.0, 0.1], [0.6, 0.3, 0.0, 0.1]], (FULL, FULL), [0, 1]),
        ([[0.1, 0.8, 0.0, 0.1], [0.1, 0.6, 0.2, 0.1]], (FULL, FULL), [1]),  # one name of two masks
        ([[0.1, 0.8, 0.0, 0.1], [0.3, 0.1, 0.0, 0.6]], (FULL, FULL), [1]),  # the second is too weak
        ([[0.1, 0.8, 0.0, 0.1], [0.6, 0.3, 0.0, 0.1]], (EMPTY, FULL), [0]),
        ([[0.1, 0.3, 0.0, 0.6], [0.2, 0.1, 0.0, 0.7]], (FULL, FULL), [1]),  # the best, if none is likely enough
    ],
)
def test_the_best_names_of_masks_are_used(
    probabilities: list[list[float]], masks: tuple[torch.Tensor, ...], names: list[int]
) -> None:
    scores = torch.tensor(probabilities).log()
    assert names_with_evidence(scores, torch.stack(masks), min_evidence=0.5).tolist() == names


def test_auto_is_the_union_or_toyworld() -> None:
    assert auto_vocabulary().classes == union_of_vocabularies().classes
    toyworld = auto_vocabulary(is_toyworld=True)
    assert len(toyworld) == 6 * 8 * 4 + 8  # colours, shapes and patterns; materials
    assert toyworld.isthing.count(False) == 8
    assert isinstance(requested_vocabulary(" auto ", (), is_toyworld=True), AutoVocabulary)
    assert type(requested_vocabulary("autobus", (), is_toyworld=True)) is Vocabulary
    with pytest.raises(DataError, match="stuff is 'grass', but the vocabulary 'auto' has its stuff"):
        requested_vocabulary("auto", "grass", is_toyworld=False)


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
