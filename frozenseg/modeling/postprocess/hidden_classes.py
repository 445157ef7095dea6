"""Hidden classes: negatives, and classes without evidence, compete for masks and pixels and are in no output.

All hidden classes are merged into one, which is post-processed like the others and removed from the outputs. A mask or
pixel that it wins has no label, and is not forced to be of a requested class.

Letters: Q queries, C requested classes, R negatives, M SAM proposals.
"""

import math
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor

from frozenseg.modeling.ensemble.mask_proposals import ProposalVotes
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.structures.argmax import INVALID_CLASS
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, ModelOutput
from frozenseg.structures.shapes import check_shape

EVIDENCE = "evidence"  # field of the output dictionary


class HiddenClasses(NamedTuple):
    """Classes of one image that are kept out of its outputs.

    Attributes:
        evidence: (C,) class probability of the best mask of each requested class, 0-1.
        hidden: (C + R,) bool, True for negatives and for absent classes.
        offset: (C + R,) added to the logits: the logarithm of the prior odds of the negatives, 0 for the others.
    """

    evidence: Tensor
    hidden: Tensor
    offset: Tensor

    @classmethod
    def of_image(cls, logits: Tensor, masks: Tensor, settings: InferenceSettings) -> "HiddenClasses":
        """Find the absent classes of an image.

        Args:
            logits: (Q, C + R + 1) class scores of objects, void last.
            masks: (Q, h, w) mask logits; empty masks are no evidence.
            settings: the negatives, their weight, and the smallest evidence of a class that is present.

        Raises:
            ShapeError: another number of masks.
        """
        check_shape("masks", masks, "Q h w", Q=len(logits))
        is_negative = torch.zeros(logits.shape[-1] - 1, dtype=torch.bool, device=logits.device)
        is_negative[len(is_negative) - settings.negatives :] = True  # (C + R,)
        offset = is_negative * math.log(settings.negative_weight)
        weighted = torch.cat([logits[:, :-1] + offset, logits[:, -1:]], dim=-1).softmax(dim=-1)
        not_empty = masks.flatten(1).amax(dim=1) > 0  # (Q,)
        evidence = (weighted[:, :-1][:, ~is_negative] * not_empty[:, None]).amax(dim=0)  # (C,)
        absent = torch.zeros_like(is_negative)
        absent[: len(evidence)] = evidence < settings.min_evidence
        hidden = is_negative | absent
        hidden[list(settings.background)] = True
        return cls(evidence, hidden, offset)

    @property
    def class_count(self) -> int:
        """Number C of requested classes, and the index of the merged class."""
        return len(self.evidence)

    def merged(self, logits: Tensor) -> Tensor:
        """Merge the hidden classes of logits (Q, C + R + 1).

        Returns:
            (Q, C + 2): the requested classes, -inf for the absent ones; the merged class; void.
        """
        classes, void = logits[:, :-1] + self.offset, logits[:, -1:]
        nothing = torch.full_like(classes, float("-inf"))
        rest = torch.where(self.hidden, classes, nothing).logsumexp(dim=-1, keepdim=True)
        return torch.cat([torch.where(self.hidden, nothing, classes)[:, : self.class_count], rest, void], dim=-1)

    def merged_flags(self, isthing: tuple[bool, ...]) -> tuple[bool, ...]:
        """Return C + R flags of thing classes as C + 1; the merged class is stuff."""
        return (*isthing[: self.class_count], False)

    def merged_votes(self, votes: ProposalVotes | None) -> ProposalVotes | None:
        """Return the votes of the SAM proposals with the hidden classes merged; the merged class counts as unseen."""
        if votes is None:
            return None
        seen = torch.cat([votes.seen[: self.class_count], votes.seen.new_zeros(1)])
        return replace(votes, logits=self.merged(votes.logits), seen=seen)

    def removed_from(self, output: ModelOutput) -> ModelOutput:
        """Return the outputs of an image without the merged class, and the evidence of each class."""
        output = {**output, EVIDENCE: self.evidence}
        if (name := OUTPUT_FIELDS["semantic"]) in output:
            semantic = output[name]
            is_labels = semantic.ndim == 2
            output[name] = (
                semantic.masked_fill(semantic == self.class_count, INVALID_CLASS) if is_labels else semantic[:-1]
            )
        if (name := OUTPUT_FIELDS["panoptic"]) in output:
            output[name] = self._without_segments(*output[name])
        if (name := OUTPUT_FIELDS["instance"]) in output:
            instances = output[name]
            shown = torch.cat([~self.hidden[: self.class_count], self.hidden.new_zeros(1)])  # (C + 1,)
            output[name] = instances[shown[instances.pred_classes]]
        return output

    def _without_segments(self, ids: Tensor, segments: list[dict[str, Any]]) -> tuple[Tensor, list[dict[str, Any]]]:
        """Return a panoptic map and its segments without the merged class, numbered from 1."""
        shown = [segment for segment in segments if segment["category_id"] != self.class_count]
        new_ids = ids.new_zeros(len(segments) + 1)
        for number, segment in enumerate(shown, start=1):
            new_ids[segment["id"]] = number
        return new_ids[ids.long()], [{**segment, "id": number} for number, segment in enumerate(shown, start=1)]
