"""How the matching goes: how many queries ever answer for something, and how well those that do.

Letters: B images, Q queries, n targets of one image, k pairs of one image, H×W the padded input.
"""

import torch
from torch import Tensor

from frozenseg.distributed import sum_over_ranks
from frozenseg.modeling.criterion.matcher import MatchedPairs
from frozenseg.modeling.types import Prediction, Target


class MatchStatistics:
    """Sums over steps, on the device, which is not waited for until they are taken."""

    def __init__(self) -> None:
        self._matched: Tensor | None = None  # (Q,) how often each query was matched
        self._sums: Tensor | None = None  # probabilities, pairs, IoU, pairs whose target has a pixel

    @torch.no_grad()
    def add(self, prediction: Prediction, targets: list[Target], matches: list[MatchedPairs]) -> None:
        """Take in what B images were matched with.

        Args:
            prediction: the last one.
            targets: B of them.
            matches: likewise.
        """
        logits, masks = prediction
        if self._matched is None or self._sums is None or len(self._matched) != logits.shape[1]:
            self._matched, self._sums = logits.new_zeros(logits.shape[1]).float(), logits.new_zeros(4).float()
        for logit, mask, target, (queries, places) in zip(logits, masks, targets, matches, strict=True):
            self._matched[queries] += 1
            said = logit[queries].float().softmax(dim=-1)  # (k, C + 1)
            probability = said.gather(1, target.labels[places][:, None]).sum()
            inside = mask[queries] > 0  # (k, H/4, W/4)
            stride = target.masks.shape[-1] // mask.shape[-1]
            wanted = target.masks[places][:, stride // 2 :: stride, stride // 2 :: stride]
            union = (inside | wanted).sum(dim=(1, 2))
            there = wanted.any(dim=2).any(dim=1)
            iou = (inside & wanted).sum(dim=(1, 2)) / union.clamp(min=1)
            pairs = torch.full_like(probability, len(queries))
            self._sums += torch.stack([probability, pairs, (iou * there).sum(), there.sum().float()])

    def take(self) -> dict[str, float]:
        """Return the statistics since they were last taken, over all processes, and begin anew.

        Returns:
            ``queries_matched``: share of queries that were matched at least once; ``matched_probability``: mean
            probability of the right class; ``matched_iou``: mean IoU, at the resolution of the queries' masks.
        """
        if self._matched is None or self._sums is None:
            return {}
        queries = len(self._matched)
        ever, *sums = sum_over_ranks(torch.cat([self._matched, self._sums])).split([queries, 4])
        told = torch.cat([(ever > 0).float().mean()[None], *sums]).tolist()
        self._matched, self._sums = None, None
        share, probability, pairs, iou, there = told
        return {
            "queries_matched": share,
            "matched_probability": probability / max(pairs, 1),
            "matched_iou": iou / max(there, 1),
        }
