"""Post-processing of one image: the requested outputs and their thresholds.

Letters: Q queries, M proposals, C classes, H×W the padded input, height×width the output.
"""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError
from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.postprocess.chunked_masks import MaskCandidates
from frozenseg.modeling.postprocess.instance import PUBLISHED_RULE, InstanceRule, instance_inference
from frozenseg.modeling.postprocess.panoptic import panoptic_inference
from frozenseg.modeling.postprocess.restore_size import RestoredMasks, restore_size
from frozenseg.modeling.postprocess.semantic import add_proposal_votes, semantic_inference, semantic_labels
from frozenseg.structures.argmax import best_class
from frozenseg.structures.image_list import ImageSize
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, ModelOutput
from frozenseg.structures.shapes import check_shape


@dataclass(frozen=True)
class Postprocessor:
    """Computes the requested outputs of an image from class logits and mask logits.

    Attributes:
        semantic: return ``sem_seg``.
        labels: ``sem_seg`` is the label map instead of the class scores.
        panoptic: return ``panoptic_seg``.
        instance: return ``instances``.
        recall: return ``recall_seg``.
        masks_first: resize the masks to the target size, then compute the outputs; False resizes the semantic scores.
        score_threshold: see :func:`panoptic_inference`.
        overlap_threshold: see :func:`panoptic_inference`.
        detections: maximum number of instances per image.
        instances_of_stuff: instances may be of stuff classes; None for the rule of the releases: only where no panoptic
            output is requested.
        proposals_in_panoptic: SAM proposals of unseen classes compete for pixels of the panoptic map.
        proposals_in_instances: SAM proposals of unseen classes compete as instances.
        instance_rule: choice among the instances.
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
    instances_of_stuff: bool | None = None
    proposals_in_panoptic: bool = False
    proposals_in_instances: bool = False
    instance_rule: InstanceRule = PUBLISHED_RULE

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "Postprocessor":
        """Build from the keys of ``MODEL.MASK_FORMER.TEST``.

        Raises:
            ConfigError: no output is on, SAM proposals are used in an output but switched off, or TEST.AUG with an
                output that cannot be averaged over views.
        """
        keys = cfg.MODEL.MASK_FORMER.TEST
        any_masks = keys.PANOPTIC_ON or keys.INSTANCE_ON or keys.RECALL_ON
        if not (keys.SEMANTIC_ON or any_masks):
            raise ConfigError(
                "No output is on: set one of MODEL.MASK_FORMER.TEST.{SEMANTIC,PANOPTIC,INSTANCE,RECALL}_ON to True."
            )
        if cfg.TEST.AUG.ENABLED and any_masks:
            raise ConfigError(
                "TEST.AUG.ENABLED is True, but only semantic scores can be averaged over several views, masks cannot: "
                "set MODEL.MASK_FORMER.TEST.{PANOPTIC,INSTANCE,RECALL}_ON to False, or TEST.AUG.ENABLED."
            )
        for name in ("SAM_MASKS_IN_PANOPTIC", "SAM_MASKS_IN_INSTANCES"):
            if cfg.TEST[name] and not cfg.TEST.USE_SAM_MASKS:
                raise ConfigError(f"TEST.{name} is True and TEST.USE_SAM_MASKS False: set both to True, or neither.")
        return cls(
            semantic=keys.SEMANTIC_ON,
            panoptic=keys.PANOPTIC_ON,
            instance=keys.INSTANCE_ON,
            recall=keys.RECALL_ON,
            masks_first=keys.SEM_SEG_POSTPROCESSING_BEFORE_INFERENCE or any_masks,
            score_threshold=keys.OBJECT_MASK_THRESHOLD,
            overlap_threshold=keys.OVERLAP_THRESHOLD,
            detections=cfg.TEST.DETECTIONS_PER_IMAGE,
            proposals_in_panoptic=cfg.TEST.SAM_MASKS_IN_PANOPTIC,
            proposals_in_instances=cfg.TEST.SAM_MASKS_IN_INSTANCES,
        )

    @property
    def uses_proposals(self) -> bool:
        """True if SAM proposals affect a requested output."""
        in_panoptic, in_instances = self.proposals_in_panoptic, self.proposals_in_instances
        return self.semantic or self.recall or self.panoptic and in_panoptic or self.instance and in_instances

    @property
    def needs_all_queries(self) -> bool:
        """False if the panoptic map is the only output, which reads the masks of queries with a class alone."""
        return self.semantic or self.instance or self.recall or not self.panoptic

    @property
    def _keeps_stuff(self) -> bool:
        return not self.panoptic if self.instances_of_stuff is None else self.instances_of_stuff

    def __call__(
        self,
        logits: Tensor,
        masks: Tensor,
        isthing: tuple[bool, ...],
        *,
        true_size: ImageSize,
        target_size: ImageSize,
        padded_size: ImageSize | None = None,
        object_logits: Tensor | None = None,
        proposal_votes: ProposalVotes | None = None,
    ) -> ModelOutput:
        """Compute the requested outputs.

        Args:
            logits: (Q, C + 1) class logits, void last.
            masks: (Q, h, w) mask logits, which are resized to the padded input and then restored.
            isthing: C flags, True for thing classes.
            true_size: height and width of the image inside the padded input.
            target_size: height and width of the outputs.
            padded_size: height and width of the padded input; None for those of ``masks``.
            object_logits: (Q, C + 1) class logits of panoptic and instance output; None: ``logits``.
            proposal_votes: the SAM proposals; None for none.

        Returns:
            The requested ones of ``sem_seg`` (C, height, width), or (height, width) int64 with ``labels``;
            ``panoptic_seg`` (map, segments); ``instances``; ``recall_seg`` (Q, height, width) bool, with
            ``proposal_votes`` also ``sam_masks`` (M, height, width) bool.

        Raises:
            ShapeError: a tensor of another shape.
        """
        check_shape("logits", logits, "Q C", C=len(isthing) + 1)
        check_shape("masks", masks, "Q h w", Q=logits.shape[0])
        padded_size = ImageSize(*masks.shape[1:]) if padded_size is None else padded_size
        # without masks first, the outputs are computed at the size of the image inside the padded input
        size = target_size if self.masks_first else true_size
        restored = RestoredMasks(masks, padded_size=padded_size, true_size=true_size, target_size=size)
        output: ModelOutput = {}
        if self.semantic:
            output[OUTPUT_FIELDS["semantic"]] = self._semantic(logits, restored, target_size, proposal_votes)
        queries = MaskCandidates(logits if object_logits is None else object_logits, restored)
        proposals = proposal_votes.voting_proposals() if proposal_votes is not None else None
        all_candidates = replace(queries, proposals=proposals)
        if self.panoptic:
            candidates = all_candidates if self.proposals_in_panoptic else queries
            output[OUTPUT_FIELDS["panoptic"]] = panoptic_inference(
                candidates, isthing, self.score_threshold, self.overlap_threshold
            )
        if self.instance:
            candidates = all_candidates if self.proposals_in_instances else queries
            output[OUTPUT_FIELDS["instance"]] = instance_inference(
                candidates, self.detections, None if self._keeps_stuff else isthing, self.instance_rule
            )
        if self.recall:
            all_queries = torch.arange(len(logits), device=logits.device)
            output[OUTPUT_FIELDS["recall"]] = torch.cat([strip > 0 for strip in queries.strips(all_queries)], dim=1)
            if proposal_votes is not None:
                output["sam_masks"] = proposal_votes.binary_masks()
        return output

    def _semantic(
        self, logits: Tensor, masks: RestoredMasks, target_size: ImageSize, proposal_votes: ProposalVotes | None
    ) -> Tensor:
        """Return class scores or labels, computed with as few maps at the target size as possible."""
        if self.labels and self.masks_first:
            return semantic_labels(logits, masks, proposal_votes)
        size = ImageSize(*masks.shape[1:])
        if self.labels and logits.shape[-1] > len(logits):  # more classes than queries
            # resizing and voting are both linear: resizing the Q masks equals resizing the C scores
            probabilities = masks.rows(slice(0, size.height)).sigmoid()  # (Q, h, w)
            restored = RestoredMasks(probabilities, padded_size=size, true_size=size, target_size=target_size)
            return semantic_labels(logits, restored, proposal_votes, masks_are_probabilities=True)
        scores = semantic_inference(logits, masks)
        if not self.masks_first:
            scores = restore_size(scores, size, target_size)
        if proposal_votes is not None:
            scores = add_proposal_votes(scores, proposal_votes)
        return best_class(scores) if self.labels else scores
