"""The mask-proposal ensemble, with numbers that can be worked out by hand."""

import torch

from frozenseg.modeling.ensemble.mask_proposals import mask_proposal_ensemble

SEEN = torch.tensor([True, False, False])
SEMANTIC = torch.arange(6.0).view(3, 1, 2)  # one row of two pixels
MASKS = torch.tensor([[[0.0, 100.0]], [[100.0, 100.0]]])  # probabilities ½, 1 and 1, 1


def logits(*probabilities: list[float]) -> torch.Tensor:
    """Return logits of class probabilities, with a void so likely that it would win were it not dropped."""
    return torch.cat([torch.tensor(probabilities).log(), torch.full((len(probabilities), 1), 9.0)], dim=1)


def test_confident_proposals_vote_for_unseen_classes() -> None:
    mixed = mask_proposal_ensemble(SEMANTIC, logits([0.1, 0.6, 0.3], [0.2, 0.4, 0.4]), MASKS, SEEN, alpha=0.2)
    # the second proposal's best unseen class has 0.4: no vote
    expected = [
        [0.0, 1.0],
        [0.8 * 2 + 0.2 * 0.6 / 2, 0.8 * 3 + 0.2 * 0.6],
        [0.8 * 4 + 0.2 * 0.3 / 2, 0.8 * 5 + 0.2 * 0.3],
    ]
    assert torch.allclose(mixed[:, 0], torch.tensor(expected))


def test_a_proposal_of_a_seen_class_does_not_vote() -> None:
    assert torch.equal(mask_proposal_ensemble(SEMANTIC, logits([0.9, 0.05, 0.05]), MASKS[:1], SEEN, 0.2), SEMANTIC)


def test_nothing_changes_without_proposals_or_without_unseen_classes() -> None:
    nothing = torch.zeros(0, 4), torch.zeros(0, 1, 2)
    assert torch.equal(mask_proposal_ensemble(SEMANTIC, *nothing, SEEN, 0.2), SEMANTIC)
    confident = logits([0.1, 0.6, 0.3])
    assert torch.equal(mask_proposal_ensemble(SEMANTIC, confident, MASKS[:1], torch.ones(3).bool(), 0.2), SEMANTIC)
