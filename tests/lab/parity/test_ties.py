"""Ties are taken the reference's way, and only ties."""

from typing import NamedTuple

import pytest
import torch
from torch import Tensor

from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.transformer_decoder.masked_decoder import MultiScaleMaskedTransformerDecoder
from frozenseg.modeling.types import PixelFeatures, Prediction, TextEmbeddings
from lab.parity.goldens import read_golden
from lab.parity.models import Models
from lab.parity.recorder import Recorder
from lab.parity.segmentation import Segmentation
from lab.parity.tied_decoder import ATTEND, POOL, Pixel, TiedDecoder
from lab.parity.ties import flip, flip_pooling_ties, subsets, tied_pixels
from tests.lab.parity.record import FOLDER

MARGIN, TOLERANCE = 5e-3, 1e-5


class Run(NamedTuple):
    """What a decoder is given."""

    decoder: MultiScaleMaskedTransformerDecoder
    pixels: PixelFeatures
    sam_embedding: Tensor
    text_embeddings: TextEmbeddings

    def beside(self, goldens: list[Tensor], margin: float = MARGIN) -> TiedDecoder:
        return TiedDecoder(
            self.decoder,
            pixels=self.pixels,
            sam_embedding=self.sam_embedding,
            text_embeddings=self.text_embeddings,
            goldens=goldens,
            tolerance=TOLERANCE,
            margin=margin,
        )


@pytest.fixture(scope="module")
@torch.no_grad()
def run() -> Run:
    golden = read_golden(FOLDER / "tiny_frozenseg_released.json")
    model = Models().model_of(golden.metadata)
    with Recorder(model) as record:
        model(Segmentation(golden, model).batch)
    return Run(model.sem_seg_head.predictor, record.pixels, record.sam_embedding, model.text_embeddings())


def own_predictions(run: Run) -> list[Prediction]:
    with torch.no_grad():
        predictions = run.decoder.predict_layers(run.pixels, run.sam_embedding, run.text_embeddings)
    return [*predictions.intermediate, predictions.final]


def nearest_to_threshold(masks: Tensor, size: tuple[int, int]) -> tuple[tuple[int, int, int], float]:
    """Return image, query and place of the pixel nearest to 0 after resizing, and how near it is."""
    logits = resize(masks, size).flatten(2).abs()
    flat = int(logits.argmin())
    places = logits.shape[2]
    return (flat // places // logits.shape[1], flat // places % logits.shape[1], flat % places), float(logits.min())


def test_without_ties_nothing_is_turned_and_the_decoder_is_the_model_s(run: Run) -> None:
    own = own_predictions(run)
    beside = run.beside([prediction.logits for prediction in own])
    assert beside.resolve_ties() == [0] * len(own)
    with torch.no_grad():
        again = beside.decode()
    assert all(
        torch.equal(a.logits, b.logits) and torch.equal(a.masks, b.masks) for a, b in zip(own, again, strict=True)
    )


@pytest.mark.parametrize(("layer", "use"), [(0, ATTEND), (3, ATTEND), (3, POOL)])
def test_a_turned_pixel_is_found(run: Run, layer: int, use: str) -> None:
    own = own_predictions(run)
    size = run.sam_embedding.shape[-2:] if use == POOL else run.decoder.levels(run.pixels)[layer % 3].map.shape[-2:]
    query_index, margin = nearest_to_threshold(own[layer].masks, size)
    reference = run.beside([prediction.logits for prediction in own])
    reference.decisions[layer + 1].flipped = [Pixel(use, *query_index)]
    with torch.no_grad():
        flipped = reference.decode()
    assert (flipped[layer + 1].logits - own[layer + 1].logits).abs().max() > 10 * TOLERANCE
    beside = run.beside([prediction.logits for prediction in flipped], margin=1.01 * margin)
    ties = beside.resolve_ties()
    assert beside.decisions[layer + 1].flipped == [Pixel(use, *query_index)]
    assert sum(ties) == 1
    with torch.no_grad():
        settled = beside.decode()
    assert all(torch.equal(a.logits, b.logits) for a, b in zip(settled, flipped, strict=True))


def test_a_query_may_have_ties_of_both_kinds(run: Run) -> None:
    own = own_predictions(run)
    (image, query, index), margin = nearest_to_threshold(own[0].masks, run.decoder.levels(run.pixels)[0].map.shape[-2:])
    reference = run.beside([prediction.logits for prediction in own])
    reference.decisions[1].flipped = [Pixel(ATTEND, image, query, index)]
    with torch.no_grad():
        mask = reference.decode()[1].masks[image, query].clone()
    flat = mask.flatten()
    margin = max(margin, float(flat.abs().min()))
    flip(flat, [int(flat.abs().argmin())])
    reference.decisions[1].pooled = {(image, query): flat.view_as(mask)}
    with torch.no_grad():
        flipped = reference.decode()
    beside = run.beside([prediction.logits for prediction in flipped], margin=1.01 * margin)
    beside.resolve_ties()
    assert beside.decisions[1].flipped == [Pixel(ATTEND, image, query, index)]
    assert list(beside.decisions[1].pooled) == [(image, query)]
    with torch.no_grad():
        assert (beside.decode()[1].logits - flipped[1].logits).abs().max() <= TOLERANCE


def test_a_pixel_that_is_no_tie_is_not_turned(run: Run) -> None:
    own = own_predictions(run)
    query_index, margin = nearest_to_threshold(own[0].masks, run.decoder.levels(run.pixels)[0].map.shape[-2:])
    reference = run.beside([prediction.logits for prediction in own])
    reference.decisions[1].flipped = [Pixel(ATTEND, *query_index)]
    with torch.no_grad():
        flipped = reference.decode()
    beside = run.beside([prediction.logits for prediction in flipped], margin=0.9 * margin)
    beside.resolve_ties()
    assert beside.decisions[1].flipped == []
    with torch.no_grad():
        assert (beside.decode()[1].logits - flipped[1].logits).abs().max() > TOLERANCE  # stays a difference


@torch.no_grad()
@pytest.mark.parametrize(("layer", "use"), [(0, ATTEND), (3, POOL)])
def test_a_turned_pixel_is_found_by_the_last_prediction_alone(run: Run, layer: int, use: str) -> None:
    own = own_predictions(run)
    size = run.sam_embedding.shape[-2:] if use == POOL else run.decoder.levels(run.pixels)[layer % 3].map.shape[-2:]
    query_index, margin = nearest_to_threshold(own[layer].masks, size)
    reference = run.beside([own[-1].logits])
    reference.decisions[layer + 1].flipped = [Pixel(use, *query_index)]
    golden = reference.decode()[-1].logits
    assert (golden - own[-1].logits).abs().max() > 10 * TOLERANCE
    beside = run.beside([golden], margin=1.01 * margin)
    assert beside.resolve_by_last() == 1
    assert beside.decisions[layer + 1].flipped == [Pixel(use, *query_index)]
    assert torch.equal(beside.decode()[-1].logits, golden)
    surer = run.beside([golden], margin=0.0)
    assert surer.resolve_by_last() == 0  # not explained by ties: stays a difference
    assert torch.equal(surer.decode()[-1].logits, own[-1].logits)


def test_pooling_is_explained_by_the_smallest_set_of_ties() -> None:
    mask = torch.tensor([[1e-4, 2.0], [-1e-4, -2.0]])

    def classify(masks: Tensor) -> Tensor:
        return (masks > 0).flatten(1).float() @ torch.tensor([[1.0, 0.0], [2.0, 0.0], [4.0, 0.0], [8.0, 1.0]])

    limits = {"difference": 5.0, "margin": 1e-3}
    found = flip_pooling_ties(classify, mask, torch.tensor([6.0, 0.0]), **limits)
    assert found is not None
    assert (found.pixels, (found.mask > 0).flatten().tolist()) == (2, [False, True, True, False])
    assert flip_pooling_ties(classify, mask, torch.tensor([11.0, 1.0]), **limits) is None  # would need a sure pixel
    assert flip_pooling_ties(classify, mask.sign(), torch.tensor([6.0, 0.0]), **limits) is None  # has no tied pixel


def test_small_parts() -> None:
    assert tied_pixels(torch.tensor([0.5, -0.01, 0.02, -3.0]), 0.1) == [1, 2]
    assert list(subsets("abc", 2)) == [("a",), ("b",), ("c",), ("a", "b"), ("a", "c"), ("b", "c")]
    flat = torch.tensor([0.0, 1.0, -1.0])
    flip(flat, [0, 2])
    assert (flat > 0).tolist() == [True, True, True]
