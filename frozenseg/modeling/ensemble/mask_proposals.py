"""The mask-proposal ensemble: SAM's own masks vote for unseen classes (paper, mask proposal ensemble).

Letters: C classes, M proposals, h×w their low resolution, H×W the image.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.sam.automatic_masks.placement import Placement, rows_at_a_time
from frozenseg.modeling.sam.automatic_masks.proposal_settings import ProposalSettings

CONFIDENT = 0.5
VALUES_AT_ONCE = 2**24  # of masks at image size: 64 MiB


class ProposalEnsemble(NamedTuple):
    """How SAM's own masks enter at test time."""

    alpha: float = 0.2  # their weight in the scores of unseen classes, 0-1
    confident: float = CONFIDENT  # probability of the best unseen class above which a mask votes
    masks: ProposalSettings = ProposalSettings()

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "ProposalEnsemble | None":
        """Build from the keys of TEST; None where the ensemble is off.

        Raises:
            ConfigError: a weight or a threshold is not from 0 to 1.
        """
        keys = cfg.TEST
        if not keys.USE_SAM_MASKS:
            return None
        for name in ("SAM_MASK_PRED_ALPHA", "SAM_MASK_THRESHOLD"):
            if not 0 <= keys[name] <= 1:
                raise ConfigError(f"TEST.{name} is {keys[name]}; set it to a number from 0 to 1.")
        masks = ProposalSettings(
            points_per_side=keys.SAM_MASK_POINTS, swap_red_and_blue=keys.SAM_MASK_BGR, bf16=keys.SAM_MASK_BF16
        )
        return cls(keys.SAM_MASK_PRED_ALPHA, keys.SAM_MASK_THRESHOLD, masks)


@dataclass(frozen=True, eq=False)
class ProposalVotes:
    """The votes of the proposals of one image, given a few rows at a time.

    Attributes:
        logits: (M, C + 1) CLIP's logits under each proposal, void last.
        masks: (M, h, w) logits of the proposals.
        placement: of the image in them, at the size of the scores.
        seen: (C,) bool.
        ensemble: weight and threshold.
    """

    logits: Tensor
    masks: Tensor
    placement: Placement
    seen: Tensor
    ensemble: ProposalEnsemble

    def mix(self, semantic: Tensor, rows: slice) -> Tensor:
        """Mix the votes into some rows (C, rows, W) of the queries' scores."""
        masks = self.placement.at_image_size(self.masks, rows)  # (M, rows, W)
        return mask_proposal_ensemble(
            semantic, self.logits, masks, self.seen, self.ensemble.alpha, self.ensemble.confident
        )

    def voting_proposals(self) -> "ClassifiedProposals":
        """Return those that vote as what a read-out can choose beside the queries; seen classes have no part in them.

        Beyond the paper, whose ensemble is for semantic outputs alone.
        """
        unseen, votes = unseen_probabilities(self.logits, self.seen, self.ensemble.confident)
        probabilities = self.logits.new_zeros(self.logits.shape)
        probabilities[:, :-1][:, ~self.seen] = unseen
        probabilities[:, -1] = 1 - unseen.sum(dim=-1)
        return ClassifiedProposals(probabilities[votes], self.masks[votes], self.placement)

    def inside(self) -> Tensor:
        """Return all masks at the size of the scores, (M, H, W) bool, whatever they are called."""
        height, width = self.placement.size
        step = rows_at_a_time(VALUES_AT_ONCE, len(self.masks) * width)
        strips = [slice(start, start + step) for start in range(0, height, step)]
        return torch.cat([self.placement.at_image_size(self.masks, rows) > 0 for rows in strips], dim=1)


@dataclass(frozen=True, eq=False)
class ClassifiedProposals:
    """Proposals with their classes.

    Attributes:
        probabilities: (M, C + 1) of the classes, void last; 0 for seen classes.
        masks: (M, h, w) logits.
        placement: of the image in them, at the size of the outputs.
    """

    probabilities: Tensor
    masks: Tensor
    placement: Placement

    def rows(self, chosen: Tensor, rows: slice) -> Tensor:
        """Return some rows of the masks with the given (K,) indices: (K, rows, W) logits."""
        return self.placement.at_image_size(self.masks[chosen], rows)


def unseen_probabilities(logits: Tensor, seen: Tensor, confident: float) -> tuple[Tensor, Tensor]:
    """Return the probabilities of unseen classes (M, unseen), and (M,) bool: which proposals vote.

    Args:
        logits: (M, C + 1) CLIP's logits under each proposal, void last.
        seen: (C,) bool.
        confident: probability of the best unseen class above which a proposal votes.
    """
    probabilities = logits.softmax(dim=-1)[:, :-1][:, ~seen]
    return probabilities, (probabilities > confident).any(dim=-1)


def mask_proposal_ensemble(
    semantic: Tensor, logits: Tensor, masks: Tensor, seen: Tensor, alpha: float, confident: float = CONFIDENT
) -> Tensor:
    """Mix the votes of SAM's masks into the scores of unseen classes; seen classes keep theirs.

    A proposal votes if its best unseen class has a probability above one half. Where there are proposals and none
    votes, the scores of unseen classes shrink all the same, as in the released model.

    Args:
        semantic: (C, H, W) scores of the queries.
        logits: (M, C + 1) CLIP's logits under each proposal; void takes its share of the probability and has no vote.
        masks: (M, H, W) logits of the proposals.
        seen: (C,) bool.
        alpha: weight of the proposals, 0-1.
        confident: that probability.

    Returns:
        (C, H, W) scores; ``semantic`` itself where there is no proposal.
    """
    if len(masks) == 0:
        return semantic
    probabilities, votes = unseen_probabilities(logits, seen, confident)  # (M, unseen), (M,)
    proposed = torch.einsum("mc,mhw->chw", probabilities[votes], masks[votes].sigmoid())  # (unseen, H, W)
    mixed = semantic.clone()
    mixed[~seen] = (1 - alpha) * semantic[~seen] + alpha * proposed
    return mixed
