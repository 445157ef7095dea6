"""The mask-proposal ensemble, with numbers that can be worked out by hand."""

import pytest
import torch

from frozenseg.config import get_cfg
from frozenseg.errors import ShapeError
from frozenseg.modeling.ensemble.mask_proposals import ProposalEnsemble, mask_proposal_ensemble
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings

SEEN = torch.tensor([True, False, False])
SEMANTIC = torch.arange(6.0).view(3, 1, 2)  # one row of two pixels
MASKS = torch.tensor([[[0.0, 100.0]], [[100.0, 100.0]]])  # probabilities ½, 1 and 1, 1


def logits(*probabilities: list[float]) -> torch.Tensor:
    """Return logits of class probabilities, void last."""
    return torch.tensor(probabilities).log() + 3.0


def test_confident_proposals_vote_for_unseen_classes() -> None:
    mixed = mask_proposal_ensemble(SEMANTIC, logits([0.1, 0.6, 0.2, 0.1], [0.1, 0.4, 0.4, 0.1]), MASKS, SEEN, alpha=0.2)
    # the second proposal's best unseen class has 0.4: no vote
    expected = [
        [0.0, 1.0],
        [0.8 * 2 + 0.2 * 0.6 / 2, 0.8 * 3 + 0.2 * 0.6],
        [0.8 * 4 + 0.2 * 0.2 / 2, 0.8 * 5 + 0.2 * 0.2],
    ]
    assert torch.allclose(mixed[:, 0], torch.tensor(expected))


@pytest.mark.parametrize(
    "probabilities",
    [
        [0.9, 0.04, 0.03, 0.03],  # a seen class
        [0.1, 0.45, 0.05, 0.4],  # void takes its share: without it the second class would have three quarters
    ],
)
def test_where_no_proposal_votes_unseen_scores_shrink(probabilities: list[float]) -> None:
    mixed = mask_proposal_ensemble(SEMANTIC, logits(probabilities), MASKS[:1], SEEN, alpha=0.2)
    assert torch.equal(mixed[0], SEMANTIC[0])
    assert torch.allclose(mixed[1:], 0.8 * SEMANTIC[1:])


def test_nothing_changes_without_proposals_or_without_unseen_classes() -> None:
    nothing = torch.zeros(0, 4), torch.zeros(0, 1, 2)
    assert torch.equal(mask_proposal_ensemble(SEMANTIC, *nothing, SEEN, 0.2), SEMANTIC)
    confident = logits([0.1, 0.6, 0.2, 0.1])
    assert torch.equal(mask_proposal_ensemble(SEMANTIC, confident, MASKS[:1], torch.ones(3).bool(), 0.2), SEMANTIC)


def test_proposals_of_another_shape_are_named() -> None:
    with pytest.raises(ShapeError, match=r"logits has shape \(1, 4\), expected \(M=2, C=4\)"):
        mask_proposal_ensemble(SEMANTIC, logits([0.1, 0.6, 0.2, 0.1]), MASKS, SEEN, 0.2)
    with pytest.raises(ShapeError, match=r"semantic has shape \(3, 1, 2\), expected \(C=2, H, W\)"):
        mask_proposal_ensemble(SEMANTIC, logits([0.1, 0.6, 0.2, 0.1]), MASKS[:1], SEEN[:2], 0.2)


def test_the_filters_of_proposals_are_those_of_the_config() -> None:
    cfg = get_cfg()
    cfg.merge_from_list(["TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_POINTS", 16])
    ensemble = ProposalEnsemble.from_config(cfg)
    assert ensemble is not None
    assert ensemble.masks == ProposalSettings(points_per_side=16)
    cfg.merge_from_list(["TEST.SAM_MASK_MIN_IOU", 0.7, "TEST.SAM_MASK_STABILITY_OFFSET", 0.25])
    ensemble = ProposalEnsemble.from_config(cfg)
    assert ensemble is not None
    assert ensemble.masks == ProposalSettings(points_per_side=16, pred_iou_threshold=0.7, stability_offset=0.25)
