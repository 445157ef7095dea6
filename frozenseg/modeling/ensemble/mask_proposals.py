"""Mask-proposal ensemble: SAM's automatic masks vote for unseen classes (FrozenSeg, mask proposal ensemble).

Letters: C classes, U unseen classes, M proposals, K selected proposals, h×w their low resolution, H×W the image.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.modeling.layers.row_strips import row_strips
from frozenseg.modeling.sam.automatic_masks.placement import Placement
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings
from frozenseg.structures.shapes import check_shape

VOTE_THRESHOLD = 0.5
MaskPooling = Literal["aligned", "released"]


class ProposalEnsemble(NamedTuple):
    """Use of SAM's automatic masks at test time."""

    alpha: float = 0.2  # weight of the proposals in the scores of unseen classes, 0-1
    vote_threshold: float = VOTE_THRESHOLD  # a proposal votes if the probability of its best unseen class is above
    pooling: MaskPooling = "aligned"  # of CLIP's features under the proposals, see released_pooling.py
    masks: ProposalSettings = ProposalSettings()

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "ProposalEnsemble | None":
        """Build from the keys of TEST; None if the ensemble is off."""
        keys = cfg.TEST
        if not keys.USE_SAM_MASKS:
            return None
        masks = ProposalSettings(
            points_per_side=keys.SAM_MASK_POINTS,
            pred_iou_threshold=keys.SAM_MASK_MIN_IOU,
            stability_offset=keys.SAM_MASK_STABILITY_OFFSET,
            swap_red_and_blue=keys.SAM_MASK_BGR,
            bf16=keys.SAM_MASK_BF16,
        )
        return cls(keys.SAM_MASK_PRED_ALPHA, keys.SAM_MASK_THRESHOLD, keys.SAM_MASK_POOLING, masks)


@dataclass(frozen=True, eq=False)
class ProposalVotes:
    """Votes of the proposals of one image, computed a few rows at a time.

    Attributes:
        logits: (M, C + 1) CLIP's logits under each proposal, void last.
        masks: (M, h, w) logits of the proposals.
        placement: of the image in the masks, at the size of the scores.
        seen: (C,) bool, True for classes seen in training.
        ensemble: weight and threshold.

    Raises:
        ShapeError: a tensor of another shape.
    """

    logits: Tensor
    masks: Tensor
    placement: Placement
    seen: Tensor
    ensemble: ProposalEnsemble

    def __post_init__(self) -> None:
        check_shape("logits", self.logits, "M C", C=len(self.seen) + 1)
        check_shape("masks", self.masks, "M h w", M=self.logits.shape[0])

    def mix(self, semantic: Tensor, rows: slice) -> Tensor:
        """Mix the votes into some rows (C, rows, W) of the semantic scores of the queries."""
        masks = self.placement.at_image_size(self.masks, rows)  # (M, rows, W)
        return mask_proposal_ensemble(
            semantic, self.logits, masks, self.seen, self.ensemble.alpha, self.ensemble.vote_threshold
        )

    def voting_proposals(self) -> "ClassifiedProposals":
        """Return the voting proposals as extra candidates for panoptic and instance post-processing.

        Their probability of seen classes is 0. This goes beyond the paper, which ensembles semantic scores only.
        """
        unseen, votes = unseen_probabilities(self.logits, self.seen, self.ensemble.vote_threshold)
        probabilities = self.logits.new_zeros(self.logits.shape)
        probabilities[:, :-1][:, ~self.seen] = unseen
        probabilities[:, -1] = 1 - unseen.sum(dim=-1)
        return ClassifiedProposals(probabilities[votes], self.masks[votes], self.placement)

    def binary_masks(self) -> Tensor:
        """Return all M masks, voting or not, at the size of the scores: (M, H, W) bool."""
        height, width = self.placement.size
        strips = row_strips(height, len(self.masks) * width)
        return torch.cat([self.placement.at_image_size(self.masks, rows) > 0 for rows in strips], dim=1)


@dataclass(frozen=True, eq=False)
class ClassifiedProposals:
    """Proposals with class probabilities.

    Attributes:
        probabilities: (M, C + 1), void last; 0 for seen classes.
        masks: (M, h, w) logits.
        placement: of the image in the masks, at the size of the outputs.
    """

    probabilities: Tensor
    masks: Tensor
    placement: Placement

    def rows(self, selected: Tensor, rows: slice) -> Tensor:
        """Return some rows of the masks with the (K,) selected indices: (K, rows, W) logits."""
        return self.placement.at_image_size(self.masks[selected], rows)


def unseen_probabilities(logits: Tensor, seen: Tensor, vote_threshold: float) -> tuple[Tensor, Tensor]:
    """Return the probabilities of the unseen classes (M, U), and (M,) bool: True for proposals that vote.

    Args:
        logits: (M, C + 1) CLIP's logits under each proposal, void last.
        seen: (C,) bool, True for classes seen in training.
        vote_threshold: a proposal votes if the probability of its best unseen class is above.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1][:, ~seen]
    return probabilities, (probabilities > vote_threshold).any(dim=-1)


def mask_proposal_ensemble(
    semantic: Tensor, logits: Tensor, masks: Tensor, seen: Tensor, alpha: float, vote_threshold: float = VOTE_THRESHOLD
) -> Tensor:
    """Mix the votes of the proposals into the scores of unseen classes; seen classes keep theirs.

    If there are proposals but none votes, the scores of unseen classes are still multiplied by 1 - alpha, as in the
    released model.

    Args:
        semantic: (C, H, W) semantic scores of the queries.
        logits: (M, C + 1) CLIP's logits under each proposal; void has its share of the probability and no vote.
        masks: (M, H, W) logits of the proposals.
        seen: (C,) bool, True for classes seen in training.
        alpha: weight of the proposals, 0-1.
        vote_threshold: a proposal votes if the probability of its best unseen class is above.

    Returns:
        (C, H, W) scores; ``semantic`` itself if there is no proposal.

    Raises:
        ShapeError: a tensor of another shape.
    """
    if len(masks) == 0:
        return semantic
    check_shape("semantic", semantic, "C H W", C=len(seen))
    check_shape("logits", logits, "M C", M=len(masks), C=len(seen) + 1)
    check_shape("masks", masks, "M H W", H=semantic.shape[1], W=semantic.shape[2])
    probabilities, votes = unseen_probabilities(logits, seen, vote_threshold)  # (M, U), (M,)
    voted = torch.einsum("mc,mhw->chw", probabilities[votes], masks[votes].sigmoid())  # (U, H, W)
    mixed = semantic.clone()
    mixed[~seen] = (1 - alpha) * semantic[~seen] + alpha * voted
    return mixed
