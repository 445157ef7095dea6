"""Segments of prompts: SAM's mask on the embedding of the model, named by CLIP, without another run of an encoder."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.errors import ConfigError
from frozenseg.inference.embedded_image import EmbeddedImage
from frozenseg.inference.mask_prompts import rank_names, segment_prompt
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.modeling.sam.prompted_masks import MaskPrompt
from frozenseg.toyworld.export import Recipe, make_scene
from tests.tiny import TRAINING, tiny_config

NAMES = "green circle; yellow triangle; blue crescent; red star; stuff: water; stuff: sand"


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu")


@pytest.fixture(scope="module")
def embedded(segmenter: Segmenter) -> EmbeddedImage:
    return segmenter.embed(make_scene(Recipe("val_unseen", 1, 4, 192, 192), 4).image)


def masks() -> dict[str, np.ndarray]:
    scene = make_scene(Recipe("val_unseen", 1, 4, 192, 192), 4)
    return {each.category.names[0]: scene.ids == each.id for each in scene.segments}


def test_a_click_has_the_mask_and_the_name_of_its_object(
    segmenter: Segmenter, embedded: EmbeddedImage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("The image is encoded again.")

    for part in (segmenter.model.backbone, segmenter.model.sam.image_encoder):
        monkeypatch.setattr(part, "forward", refuse)
    settings = segmenter.settings(segmenter.vocabulary_of(NAMES))
    for name in ("green circle", "yellow triangle"):
        mask = masks()[name]
        rows, columns = mask.nonzero()
        prompt = MaskPrompt(((float(columns.mean()), float(rows.mean())),), (True,))
        segment = segment_prompt(segmenter, embedded, prompt, settings)
        assert (segment.mask & mask).sum() / (segment.mask | mask).sum() > 0.7
        assert segment.names[0].name == name
        assert segment.names[0].isthing
        assert 0 < segment.names[0].score <= 1


def test_names_are_ranked_and_negatives_have_their_share(segmenter: Segmenter, embedded: EmbeddedImage) -> None:
    mask = masks()["green circle"]
    few = rank_names(segmenter, embedded, mask, segmenter.settings(segmenter.vocabulary_of("red star; green circle")))
    assert [each.name for each in few] == ["green circle", "red star"]
    assert sum(each.score for each in few) < 1
    many = rank_names(segmenter, embedded, mask, segmenter.settings(segmenter.vocabulary_of("toyworld")))
    assert len(many) == 5
    assert [each.score for each in many] == sorted((each.score for each in many), reverse=True)


def test_a_mask_of_a_single_pixel_is_named(segmenter: Segmenter, embedded: EmbeddedImage) -> None:
    mask = np.zeros((192, 192), dtype=bool)
    mask[5, 5] = True
    names = rank_names(segmenter, embedded, mask, segmenter.settings(segmenter.vocabulary_of(NAMES)))
    assert np.isfinite([each.score for each in names]).all()


def test_a_model_without_sam_answers_no_click() -> None:
    torch.manual_seed(0)
    segmenter = Segmenter(build_model(tiny_config("FCCLIP"), TRAINING), ShortestEdge(64, 128))
    embedded = segmenter.embed(Image.new("RGB", (40, 30)))
    settings = segmenter.settings(segmenter.vocabulary_of("cat; dog"))
    with pytest.raises(ConfigError, match="FCCLIP, which has no SAM that answers clicks: serve a FrozenSeg model"):
        segment_prompt(segmenter, embedded, MaskPrompt(((1.0, 1.0),), (True,)), settings)
