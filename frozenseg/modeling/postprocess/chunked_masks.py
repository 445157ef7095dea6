"""Masks of queries and of SAM proposals at image size, iterated a few rows at a time.

Letters: Q queries, M proposals, C classes, K selected masks, H×W the image.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.modeling.ensemble.mask_proposals import ClassifiedProposals
from frozenseg.modeling.layers.row_strips import row_strips, values_per_strip
from frozenseg.modeling.postprocess.restore_size import RestoredMasks, mask_rows
from frozenseg.structures.shapes import check_shape


@dataclass(frozen=True, eq=False)
class MaskCandidates:
    """Candidates of panoptic and instance post-processing: the queries, then the SAM proposals.

    Attributes:
        logits: (Q, C + 1) class logits of the queries, void last.
        masks: (Q, H, W) mask logits of the queries.
        proposals: M proposals that follow the queries; None for none.

    Raises:
        ShapeError: a tensor of another shape.
    """

    logits: Tensor
    masks: Tensor | RestoredMasks
    proposals: ClassifiedProposals | None = None

    def __post_init__(self) -> None:
        check_shape("logits", self.logits, "Q C")
        if len(self.masks.shape) != 3 or self.masks.shape[0] != len(self.logits):
            raise ShapeError(f"masks has shape {tuple(self.masks.shape)}, expected (Q={len(self.logits)}, H, W).")

    def probabilities(self) -> Tensor:
        """Return the class probabilities of all candidates, (Q + M, C + 1), void last."""
        of_queries = self.logits.softmax(dim=-1)
        return of_queries if self.proposals is None else torch.cat([of_queries, self.proposals.probabilities])

    def is_proposal(self, selected: Tensor) -> Tensor:
        """Return (K,) bool for (K,) indices: True for those of proposals."""
        return selected >= len(self.logits)

    def strips(self, selected: Tensor) -> Iterator[Tensor]:
        """Yield the mask logits of the (K,) selected candidates as strips (K, rows, W), new tensors, from the top."""
        height, width = self.masks.shape[1:]
        return (
            self._rows(selected, rows)
            for rows in row_strips(height, len(selected) * width, values_per_strip(selected.device))
        )

    def _rows(self, selected: Tensor, rows: slice) -> Tensor:
        if self.proposals is None:
            return mask_rows(self.masks, rows, selected)
        is_proposal = self.is_proposal(selected)
        of_queries = mask_rows(self.masks, rows, selected[~is_proposal])
        strip = of_queries.new_empty(len(selected), *of_queries.shape[1:])
        strip[~is_proposal] = of_queries
        strip[is_proposal] = self.proposals.rows(selected[is_proposal] - len(self.logits), rows)
        return strip
