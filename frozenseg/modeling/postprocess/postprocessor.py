"""All read-outs of one image that are switched on."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.instance import instance_inference
from frozenseg.modeling.postprocess.panoptic import panoptic_inference
from frozenseg.modeling.postprocess.restore_size import Masks, restore_masks, restore_size
from frozenseg.modeling.postprocess.semantic import add_proposal_votes, semantic_inference, semantic_labels
from frozenseg.structures.argmax import best_class
from frozenseg.structures.image_list import ImageSize


@dataclass(frozen=True)
class Postprocessor:
    """Which outputs are wanted, and their thresholds.

    Attributes:
        semantic: give ``sem_seg``.
        labels: ``sem_seg`` is the best class of each pixel instead of the scores of all.
        panoptic: give ``panoptic_seg``.
        instance: give ``instances``.
        recall: give ``recall_seg``.
        masks_first: restore masks to the wanted size before the read-outs; otherwise the semantic scores after.
        score_threshold: see :func:`panoptic_inference`.
        overlap_threshold: see :func:`panoptic_inference`.
        detections: instances kept an image.
        proposals_in_panoptic: let SAM's masks of unseen classes compete for pixels.
        proposals_in_instances: let them be instances.
    """

    semantic: bool = True
    panoptic: bool = True
    instance: bool = True
    masks_first: bool = True
    score_threshold: float = 0.0
    overlap_threshold: float = 0.8
    detections: int = 100
    labels: bool = False
    recall: bool = False
    proposals_in_panoptic: bool = False
    proposals_in_instances: bool = False

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "Postprocessor":
        """Build from the keys of ``MODEL.MASK_FORMER.TEST``.

        Raises:
            ConfigError: no read-out is on, or one takes SAM's masks and there are none, or is no mean of several views.
        """
        keys = cfg.MODEL.MASK_FORMER.TEST
        of_masks = keys.PANOPTIC_ON or keys.INSTANCE_ON or keys.RECALL_ON
        if not (keys.SEMANTIC_ON or of_masks):
            raise ConfigError(
                "No read-out is on: set one of MODEL.MASK_FORMER.TEST.{SEMANTIC,PANOPTIC,INSTANCE,RECALL}_ON."
            )
        if cfg.TEST.AUG.ENABLED and of_masks:
            raise ConfigError(
                "TEST.AUG.ENABLED is True, but masks of different views do not belong together, only semantic scores "
                "have a mean: set MODEL.MASK_FORMER.TEST.{PANOPTIC,INSTANCE,RECALL}_ON to False, or TEST.AUG.ENABLED."
            )
        for name in ("SAM_MASKS_IN_PANOPTIC", "SAM_MASKS_IN_INSTANCES"):
            if cfg.TEST[name] and not cfg.TEST.USE_SAM_MASKS:
                raise ConfigError(f"TEST.{name} is True and TEST.USE_SAM_MASKS False: set both to True, or neither.")
        return cls(
            semantic=keys.SEMANTIC_ON,
            panoptic=keys.PANOPTIC_ON,
            instance=keys.INSTANCE_ON,
            recall=keys.RECALL_ON,
            masks_first=keys.SEM_SEG_POSTPROCESSING_BEFORE_INFERENCE or of_masks,
            score_threshold=keys.OBJECT_MASK_THRESHOLD,
            overlap_threshold=keys.OVERLAP_THRESHOLD,
            detections=cfg.TEST.DETECTIONS_PER_IMAGE,
            proposals_in_panoptic=cfg.TEST.SAM_MASKS_IN_PANOPTIC,
            proposals_in_instances=cfg.TEST.SAM_MASKS_IN_INSTANCES,
        )

    @property
    def uses_proposals(self) -> bool:
        """Whether SAM's masks change anything."""
        in_panoptic, in_instances = self.proposals_in_panoptic, self.proposals_in_instances
        return self.semantic or self.recall or self.panoptic and in_panoptic or self.instance and in_instances

    def __call__(
        self,
        logits: Tensor,
        masks: Tensor,
        isthing: tuple[bool, ...],
        *,
        true_size: ImageSize,
        target_size: ImageSize,
        proposal_votes: ProposalVotes | None = None,
    ) -> dict[str, Any]:
        """Read out one image.

        Args:
            logits: (Q, C + 1) class scores as logits, void last.
            masks: (Q, H, W) mask logits at the padded input size.
            isthing: one flag a class.
            true_size: the image's size inside the padded input.
            target_size: the size of the outputs.
            proposal_votes: SAM's masks.

        Returns:
            ``sem_seg`` (C, height, width), or (height, width) int64 with ``labels``; ``panoptic_seg`` (map, segments);
            ``instances``; ``recall_seg`` (Q, height, width) bool: those switched on. With ``recall_seg`` and
            ``proposal_votes`` also ``sam_masks``, (M, height, width) bool.
        """
        full = restore_masks(masks, true_size, target_size) if self.masks_first else masks
        output: dict[str, Any] = {}
        if self.semantic:
            output["sem_seg"] = self._semantic(logits, full, true_size, target_size, proposal_votes)
        plain = MaskCandidates(logits, full)
        named = replace(plain, proposed=proposal_votes.voting_proposals()) if proposal_votes is not None else plain
        if self.panoptic:
            chosen_from = named if self.proposals_in_panoptic else plain
            output["panoptic_seg"] = panoptic_inference(
                chosen_from, isthing, self.score_threshold, self.overlap_threshold
            )
        if self.instance:
            chosen_from = named if self.proposals_in_instances else plain
            output["instances"] = instance_inference(chosen_from, self.detections, isthing if self.panoptic else None)
        if self.recall:
            every = torch.arange(len(logits), device=logits.device)
            output["recall_seg"] = torch.cat([rows > 0 for rows in plain.strips(every)], dim=1)
            if proposal_votes is not None:
                output["sam_masks"] = proposal_votes.inside()
        return output

    def _semantic(
        self,
        logits: Tensor,
        masks: Masks,
        true_size: ImageSize,
        target_size: ImageSize,
        proposal_votes: ProposalVotes | None,
    ) -> Tensor:
        """Return scores or labels, by way of as few maps of the wanted size as can be."""
        if self.labels and self.masks_first:
            return semantic_labels(logits, masks, proposal_votes)
        if self.labels and logits.shape[-1] > len(logits):  # more classes than queries
            # resizing and voting are both linear, so they may change places
            inside = restore_masks(masks.sigmoid(), true_size, target_size)
            return semantic_labels(logits, inside, proposal_votes, masks_are_probabilities=True)
        scores = semantic_inference(logits, masks)
        if not self.masks_first:
            scores = restore_size(scores, true_size, target_size)
        if proposal_votes is not None:
            scores = add_proposal_votes(scores, proposal_votes)
        return best_class(scores) if self.labels else scores
