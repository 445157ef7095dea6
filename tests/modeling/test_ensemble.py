"""The geometric ensemble on numbers that a hand can check."""

import pytest
import torch

from frozenseg.errors import ShapeError
from frozenseg.modeling.ensemble.geometric import EnsembleWeights, geometric_ensemble


def logits(*probabilities: float) -> torch.Tensor:
    return torch.tensor(probabilities).log()[None, None]


def test_seen_takes_alpha_and_unseen_beta() -> None:
    inside, outside = logits(0.4, 0.4, 0.2), logits(0.1, 0.9, 0.5)  # void last
    scores = geometric_ensemble(inside, outside, torch.tensor([True, False]), EnsembleWeights(0.5, 1.0)).semantic.exp()
    # without void: in (.5, .5), out (.1, .9); seen: sqrt(.5 · .1), unseen: .9; then shares of 1 - p_void = .8
    seen, unseen = (0.5 * 0.1) ** 0.5, 0.9
    expected = torch.tensor([0.8 * seen / (seen + unseen), 0.8 * unseen / (seen + unseen), 0.2])
    assert torch.allclose(scores[0, 0], expected, atol=1e-6)


def test_zero_weights_give_the_decoder_alone() -> None:
    inside = logits(0.3, 0.5, 0.2)
    scores = geometric_ensemble(inside, torch.randn(1, 1, 3), torch.tensor([True, False]), EnsembleWeights(0.0, 0.0))
    assert torch.allclose(scores.semantic.exp()[0, 0], torch.tensor([0.3, 0.5, 0.2]), atol=1e-6)


def test_a_query_without_a_mask_is_left_to_the_decoder() -> None:
    inside, outside = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    seen, weights = torch.tensor([True, False, True]), EnsembleWeights(0.4, 0.8)
    valid = torch.tensor([[True, False]])
    scores = geometric_ensemble(inside, outside, seen, weights, valid).semantic
    assert torch.equal(scores[:, 0], geometric_ensemble(inside, outside, seen, weights).semantic[:, 0])
    assert torch.allclose(scores[0, 1].exp(), inside[0, 1].softmax(-1), atol=1e-6)


def test_scores_of_another_shape_are_named() -> None:
    inside, weights = torch.randn(1, 2, 4), EnsembleWeights(0.4, 0.8)
    seen = torch.tensor([True, False, True])
    with pytest.raises(ShapeError, match=r"in_vocabulary has shape \(1, 2, 4\), expected \(B, Q, C=3\)"):
        geometric_ensemble(inside, inside, seen[:2], weights)
    with pytest.raises(ShapeError, match=r"out_of_vocabulary has shape \(1, 2, 3\), expected \(B=1, Q=2, C=4\)"):
        geometric_ensemble(inside, inside[..., :3], seen, weights)


def test_objectness_from_clip_reduces_void_for_objects_only() -> None:
    inside, outside = logits(0.2, 0.2, 0.6), logits(0.9, 0.1, 0.5)  # CLIP is 90 % sure of the first class
    weights = EnsembleWeights(0.0, 0.0, void_discount=0.5)
    scores = geometric_ensemble(inside, outside, torch.tensor([True, False]), weights)
    void = 0.6 * (1 - 0.5 * 0.9)
    expected = torch.tensor([(1 - void) / 2, (1 - void) / 2, void])
    assert torch.allclose(scores.objects.exp()[0, 0], expected, atol=1e-6)
    assert torch.allclose(scores.semantic.exp()[0, 0], torch.tensor([0.2, 0.2, 0.6]), atol=1e-6)


def test_an_empty_mask_keeps_its_void_probability() -> None:
    inside, outside = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    weights = EnsembleWeights(0.4, 0.8, void_discount=1.0)
    valid = torch.tensor([[True, False]])
    scores = geometric_ensemble(inside, outside, torch.tensor([True, False, True]), weights, valid)
    assert torch.equal(scores.objects[0, 1], scores.semantic[0, 1])
    assert scores.objects[0, 0, -1] < scores.semantic[0, 0, -1]


def test_without_a_discount_both_are_one_tensor() -> None:
    inside = torch.randn(1, 2, 4)
    scores = geometric_ensemble(inside, inside, torch.tensor([True, False, True]), EnsembleWeights(0.4, 0.8))
    assert scores.objects is scores.semantic
