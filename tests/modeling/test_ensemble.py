"""The geometric ensemble on numbers that a hand can check."""

import pytest
import torch

from frozenseg.errors import ShapeError
from frozenseg.modeling.ensemble.geometric import EnsembleWeights, geometric_ensemble


def logits(*probabilities: float) -> torch.Tensor:
    return torch.tensor(probabilities).log()[None, None]


def test_seen_takes_alpha_and_unseen_beta() -> None:
    inside, outside = logits(0.4, 0.4, 0.2), logits(0.1, 0.9, 0.5)  # void last
    scores = geometric_ensemble(inside, outside, torch.tensor([True, False]), EnsembleWeights(0.5, 1.0)).exp()
    # without void: in (.5, .5), out (.1, .9); seen: sqrt(.5 · .1), unseen: .9; then shares of 1 - p_void = .8
    seen, unseen = (0.5 * 0.1) ** 0.5, 0.9
    expected = torch.tensor([0.8 * seen / (seen + unseen), 0.8 * unseen / (seen + unseen), 0.2])
    assert torch.allclose(scores[0, 0], expected, atol=1e-6)


def test_zero_weights_give_the_decoder_alone() -> None:
    inside = logits(0.3, 0.5, 0.2)
    scores = geometric_ensemble(inside, torch.randn(1, 1, 3), torch.tensor([True, False]), EnsembleWeights(0.0, 0.0))
    assert torch.allclose(scores.exp()[0, 0], torch.tensor([0.3, 0.5, 0.2]), atol=1e-6)


def test_a_query_without_a_mask_is_left_to_the_decoder() -> None:
    inside, outside = torch.randn(1, 2, 4), torch.randn(1, 2, 4)
    seen, weights = torch.tensor([True, False, True]), EnsembleWeights(0.4, 0.8)
    valid = torch.tensor([[True, False]])
    scores = geometric_ensemble(inside, outside, seen, weights, valid)
    assert torch.equal(scores[:, 0], geometric_ensemble(inside, outside, seen, weights)[:, 0])
    assert torch.allclose(scores[0, 1].exp(), inside[0, 1].softmax(-1), atol=1e-6)


def test_scores_of_another_shape_are_named() -> None:
    inside, weights = torch.randn(1, 2, 4), EnsembleWeights(0.4, 0.8)
    seen = torch.tensor([True, False, True])
    with pytest.raises(ShapeError, match=r"in_vocabulary has shape \(1, 2, 4\), expected \(B, Q, C=3\)"):
        geometric_ensemble(inside, inside, seen[:2], weights)
    with pytest.raises(ShapeError, match=r"out_of_vocabulary has shape \(1, 2, 3\), expected \(B=1, Q=2, C=4\)"):
        geometric_ensemble(inside, inside[..., :3], seen, weights)
