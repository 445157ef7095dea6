"""Images that are embedded once: the results of calls, to the bit, with any vocabulary."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.data.transforms.recipes import ShortestEdge
from frozenseg.errors import DataError
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.modeling.segmentation_model import SegmentationModel
from tests.inference.same_result import assert_same_result
from tests.tiny import TRAINING, tiny_config

VOCABULARIES = ("cat,kitten; boat; stuff: grass", "sky; dog", "cat; background; house")
VOTING = ("TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_POINTS", 2, "TEST.SAM_MASK_THRESHOLD", 0.0)


def built(meta_arch: str, *options: object) -> Segmenter:
    torch.manual_seed(0)
    return Segmenter(build_model(tiny_config(meta_arch, *options), TRAINING), ShortestEdge(64, 128))


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return built("FCCLIP")


@pytest.fixture(scope="module")
def image() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8))


@pytest.mark.parametrize(("meta_arch", "options"), [("FCCLIP", ()), ("FrozenSeg", ()), ("FrozenSeg", VOTING)])
def test_an_embedded_image_has_the_results_of_calls(
    meta_arch: str, options: tuple[object, ...], image: Image.Image
) -> None:
    segmenter = built(meta_arch, *options)
    embedded = segmenter.embed(image)
    for vocabulary in VOCABULARIES:
        assert_same_result(segmenter.classify(embedded, vocabulary), segmenter(image, vocabulary))
        assert_same_result(
            segmenter.classify(embedded, vocabulary, sam_masks=False), segmenter(image, vocabulary, sam_masks=False)
        )


def test_a_second_vocabulary_runs_no_encoder(
    segmenter: Segmenter, image: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedded = segmenter.embed(image)

    def refuse(*_: object) -> None:
        raise AssertionError("The image is encoded again.")

    for part in (segmenter.model.backbone, segmenter.model.sem_seg_head.pixel_decoder):
        monkeypatch.setattr(part, "forward", refuse)
    assert segmenter.classify(embedded, "cat; house", outputs="panoptic").kinds == ("panoptic",)
    with pytest.raises(AssertionError, match="encoded again"):
        segmenter(image, "cat; house")


def test_threads_classify_one_image_with_different_vocabularies(segmenter: Segmenter, image: Image.Image) -> None:
    embedded, jobs = segmenter.embed(image), VOCABULARIES * 4
    with ThreadPoolExecutor(max_workers=4) as pool:
        results = list(pool.map(lambda vocabulary: segmenter.classify(embedded, vocabulary), jobs))
    for vocabulary, result in zip(jobs, results, strict=True):
        assert_same_result(result, segmenter(image, vocabulary))


def test_classes_are_set_once_for_many_images(segmenter: Segmenter, image: Image.Image) -> None:
    with pytest.raises(DataError, match=r"No vocabulary: pass one .*, or call set_classes"):
        segmenter(image)
    segmenter.set_classes("cat; grass", stuff="grass")
    assert segmenter(image).vocabulary.isthing == (True, False)
    assert segmenter(image, "dog").vocabulary.names == ("dog",)  # the vocabulary of a call comes first
    assert_same_result(segmenter.classify(segmenter.embed(image)), segmenter(image, "cat; grass", "grass"))
    with pytest.raises(DataError, match="pass one with its stuff"):
        segmenter(image, stuff="grass")


def test_the_model_embeds_what_it_predicts(image: Image.Image) -> None:
    model = built("FrozenSeg").model
    assert isinstance(model, SegmentationModel)
    batch = [{"image": torch.zeros(3, 64, 64, dtype=torch.uint8)}, {"image": torch.full((3, 64, 96), 9)}]
    with torch.no_grad():
        outputs, embedded = model(batch), model.embed(batch)
        again = model.classify(embedded)
    assert embedded.images.tensor.numel() == 0  # pixels are not kept
    assert embedded.images.padded_size == (64, 96)
    for output, expected in zip(again, outputs, strict=True):
        assert torch.equal(output["sem_seg"], expected["sem_seg"])
