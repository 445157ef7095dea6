"""Masks at image size, a few rows at a time: those of queries, and behind them those that SAM has proposed.

Letters: Q queries, K masks that are wanted, H×W the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from frozenseg.modeling.ensemble.mask_proposals import ClassifiedProposals
from frozenseg.modeling.postprocess.restore_size import Masks, mask_rows

VALUES_AT_ONCE = 2**24  # numbers of one strip: 64 MiB


@dataclass(frozen=True, eq=False)
class MaskCandidates:
    """What a read-out chooses from: class scores and masks of queries, then of proposals.

    Attributes:
        logits: (Q, C + 1) of the queries, void last.
        masks: (Q, H, W) logits, of which any rows can be had.
        proposed: proposals that stand behind the queries; None for none.
    """

    logits: Tensor
    masks: Masks
    proposed: ClassifiedProposals | None = None

    def probabilities(self) -> Tensor:
        """Return the class probabilities of all, (Q + proposals, C + 1), void last."""
        own = self.logits.softmax(dim=-1)
        return own if self.proposed is None else torch.cat([own, self.proposed.probabilities])

    def is_proposed(self, chosen: Tensor) -> Tensor:
        """Say of (K,) indices which are those of proposals."""
        return chosen >= len(self.logits)

    def strips(self, chosen: Tensor) -> Iterator[Tensor]:
        """Give the mask logits of the chosen (K,) candidates, (K, rows, W), from the top to the bottom."""
        height, width = self.masks.shape[1:]
        step = max(1, VALUES_AT_ONCE // max(1, len(chosen) * width))
        for start in range(0, height, step):
            yield self._rows(chosen, slice(start, start + step))

    def _rows(self, chosen: Tensor, rows: slice) -> Tensor:
        if self.proposed is None:
            return mask_rows(self.masks, rows, chosen)
        proposed = self.is_proposed(chosen)
        own = mask_rows(self.masks, rows, chosen[~proposed])
        strip = own.new_empty(len(chosen), *own.shape[1:])
        strip[~proposed] = own
        strip[proposed] = self.proposed.rows(chosen[proposed] - len(self.logits), rows)
        return strip
