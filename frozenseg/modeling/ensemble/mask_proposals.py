"""The mask-proposal ensemble: SAM's own masks vote for unseen classes (paper, mask proposal ensemble).

Letters: C classes, M proposals, H×W the image.
"""

import torch
from torch import Tensor

CONFIDENT = 0.5


def mask_proposal_ensemble(semantic: Tensor, logits: Tensor, masks: Tensor, seen: Tensor, alpha: float) -> Tensor:
    """Mix the votes of SAM's masks into the scores of unseen classes; seen classes keep theirs.

    A proposal votes if its best unseen class has a probability above one half. Where there are proposals and none
    votes, the scores of unseen classes shrink all the same, as in the released model.

    Args:
        semantic: (C, H, W) scores of the queries.
        logits: (M, C + 1) CLIP's logits under each proposal; void takes its share of the probability and has no vote.
        masks: (M, H, W) logits of the proposals.
        seen: (C,) bool.
        alpha: weight of the proposals, 0-1.

    Returns:
        (C, H, W) scores; ``semantic`` itself where there is no proposal.
    """
    if len(masks) == 0:
        return semantic
    probabilities = logits.softmax(dim=-1)[:, :-1][:, ~seen]  # (M, unseen)
    votes = (probabilities > CONFIDENT).any(dim=-1)  # (M,)
    proposed = torch.einsum("mc,mhw->chw", probabilities[votes], masks[votes].sigmoid())  # (unseen, H, W)
    mixed = semantic.clone()
    mixed[~seen] = (1 - alpha) * semantic[~seen] + alpha * proposed
    return mixed
