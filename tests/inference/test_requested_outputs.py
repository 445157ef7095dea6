"""Requested outputs and batches of images: the results of single images with all outputs."""

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.errors import ConfigError
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.vocabulary import Vocabulary
from tests.tiny import TEST, TRAINING, tiny_config

SIZES = ((60, 90), (90, 60), (64, 64), (60, 90), (40, 200))  # height, width; the model pads the first and fourth alike


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(build_model(tiny_config("FCCLIP"), TRAINING), ShortestEdge(64, 256))


@pytest.fixture(scope="module")
def images() -> list[Image.Image]:
    generator = np.random.default_rng(0)
    return [Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)) for size in SIZES]


def test_results_of_a_batch_are_those_of_single_images(segmenter: Segmenter, images: list[Image.Image]) -> None:
    settings = segmenter.settings(TEST)
    batch = segmenter.segment_batch(images, settings)
    for image, result in zip(images, batch, strict=True):
        alone = segmenter(image, TEST)
        assert result.image is image
        assert (result.semantic == alone.semantic).float().mean() > 0.999  # rounding may turn single pixels
        assert (result.panoptic[0] == alone.panoptic[0]).float().mean() > 0.999
        assert [each["category_id"] for each in result.panoptic[1]] == [
            each["category_id"] for each in alone.panoptic[1]
        ]
        assert torch.allclose(result.instances.scores, alone.instances.scores, atol=1e-5)


def test_images_that_are_padded_alike_pass_the_model_together(
    segmenter: Segmenter, images: list[Image.Image], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    forward = segmenter.model.forward
    monkeypatch.setattr(
        segmenter.model, "forward", lambda batch, **kwargs: sizes.append(len(batch)) or forward(batch, **kwargs)
    )
    segmenter.segment_batch(images, segmenter.settings(TEST), ["panoptic"])
    assert sizes == [2, 1, 1, 1]


@pytest.mark.parametrize("kind", ["panoptic", "instance", "semantic"])
def test_an_output_does_not_depend_on_the_others(segmenter: Segmenter, images: list[Image.Image], kind: str) -> None:
    everything, result = segmenter(images[0], TEST), segmenter(images[0], TEST, outputs=(kind,))
    computed = {
        "panoptic": result.panoptic is not None and torch.equal(result.panoptic[0], everything.panoptic[0]),
        "instance": result.instances is not None
        and torch.equal(result.instances.pred_masks, everything.instances.pred_masks),
        "semantic": result.semantic is not None and torch.equal(result.semantic, everything.semantic),
    }
    assert computed == {name: name == kind for name in computed}


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (("panoptik",), "Unknown output 'panoptik'. Did you mean 'panoptic' or 'semantic'"),
        ("boxes", "Unknown output 'boxes'"),
        ((), "No output is requested: pass some of panoptic, instance, semantic"),
        (3, "Unknown output 3"),
    ],
)
def test_unknown_outputs_are_refused(
    segmenter: Segmenter, images: list[Image.Image], outputs: object, message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        segmenter(images[0], Vocabulary.parse("cat"), outputs=outputs)  # type: ignore[arg-type]
