"""Statistics of the matching: share of queries that are ever matched, and quality of the matched pairs.

Letters: B images, Q queries, n targets of one image, k pairs of one image, H×W the padded input.
"""

import torch
from torch import Tensor

from frozenseg.distributed import sum_over_ranks
from frozenseg.modeling.criterion.matcher import MatchedPairs
from frozenseg.modeling.types import Prediction, Target


class MatchStatistics:
    """Sums over training steps. They stay on the device, and only :meth:`take` waits for it."""

    def __init__(self) -> None:
        self._matched: Tensor | None = None  # (Q,) number of matches of each query
        self._sums: Tensor | None = None  # (4,) probabilities, pairs, IoUs, pairs with a non-empty target

    @torch.no_grad()
    def add(self, prediction: Prediction, targets: list[Target], matches: list[MatchedPairs]) -> None:
        """Add the matches of B images.

        Args:
            prediction: the final one.
            targets: ground truth of each image.
            matches: pairs of each image.
        """
        logits, masks = prediction.logits, prediction.masks
        if self._matched is None or self._sums is None or len(self._matched) != logits.shape[1]:
            self._matched, self._sums = logits.new_zeros(logits.shape[1]).float(), logits.new_zeros(4).float()
        for image_logits, image_masks, target, pairs in zip(logits, masks, targets, matches, strict=True):
            self._matched[pairs.queries] += 1
            probabilities = image_logits[pairs.queries].float().softmax(dim=-1)  # (k, C + 1)
            probability = probabilities.gather(1, target.labels[pairs.targets][:, None]).sum()
            predicted = image_masks[pairs.queries] > 0  # (k, H/4, W/4)
            stride = target.masks.shape[-1] // image_masks.shape[-1]
            actual = target.masks[pairs.targets][:, stride // 2 :: stride, stride // 2 :: stride]  # (k, H/4, W/4)
            union = (predicted | actual).sum(dim=(1, 2))
            non_empty = actual.any(dim=2).any(dim=1)
            iou = (predicted & actual).sum(dim=(1, 2)) / union.clamp(min=1)
            count = torch.full_like(probability, len(pairs.queries))
            self._sums += torch.stack([probability, count, (iou * non_empty).sum(), non_empty.sum().float()])

    def take(self) -> dict[str, float]:
        """Return the statistics since the last call, over all processes, and reset them.

        Returns:
            ``queries_matched``: share of queries matched at least once; ``matched_probability``: mean probability of
            the correct class; ``matched_iou``: mean IoU at the resolution of the predicted masks. Empty before
            :meth:`add`.
        """
        if self._matched is None or self._sums is None:
            return {}
        summed = sum_over_ranks(torch.cat([self._matched, self._sums]))
        matched, sums = summed[: len(self._matched)], summed[len(self._matched) :]
        share, probability, pairs, iou, non_empty = torch.cat([(matched > 0).float().mean()[None], sums]).tolist()
        self._matched, self._sums = None, None
        return {
            "queries_matched": share,
            "matched_probability": probability / max(pairs, 1),
            "matched_iou": iou / max(non_empty, 1),
        }
