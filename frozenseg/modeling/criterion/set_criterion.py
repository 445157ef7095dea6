"""The training loss: match, compare, and do the same for every intermediate prediction.

Letters: B images, Q queries, C classes, n matched masks of the batch, P points.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.distributed import sum_over_ranks, world_size
from frozenseg.modeling.criterion.losses import class_loss, mask_losses, random_points, uncertain_points
from frozenseg.modeling.criterion.match_statistics import MatchStatistics
from frozenseg.modeling.criterion.matcher import HungarianMatcher, MatchedPairs
from frozenseg.modeling.ops.point_sample import point_sample
from frozenseg.modeling.types import MaskPredictions, Prediction, Target


class LossNormalisers(NamedTuple):
    """What some images are of a training step, whose images all processes share and go through in parts.

    With it the losses of the parts add up, and average over the processes, to the loss of all images at once.
    """

    class_weight: Tensor  # scalar: the weight of their mean class loss
    mask_count: Tensor  # scalar: what the sums of their mask losses are divided by


class SetCriterion(nn.Module):
    """Class, mask and dice loss of matched queries, with deep supervision.

    Args:
        classes: C.
        matcher: decides who answers for what.
        weights: of the class, mask and dice loss.
        void_weight: of queries without a target in the class loss.
        points: P for each mask.
        oversample: see :func:`uncertain_points`.
        importance: see :func:`uncertain_points`.
        deep_supervision: whether intermediate predictions count.

    Attributes:
        statistics: of how the last predictions were matched.
    """

    def __init__(
        self,
        *,
        classes: int,
        matcher: HungarianMatcher,
        weights: tuple[float, float, float],
        void_weight: float,
        points: int,
        oversample: float,
        importance: float,
        deep_supervision: bool = True,
    ) -> None:
        super().__init__()
        self.classes, self.matcher = classes, matcher
        self.weights = dict(zip(("loss_ce", "loss_mask", "loss_dice"), weights, strict=True))
        self.points, self.oversample, self.importance = points, oversample, importance
        self.deep_supervision, self.void_weight = deep_supervision, void_weight
        self.statistics = MatchStatistics()
        empty_weight = torch.ones(classes + 1)
        empty_weight[-1] = void_weight
        self.register_buffer("empty_weight", empty_weight)

    @classmethod
    def from_config(cls, cfg: CfgNode, classes: int) -> "SetCriterion":
        """Build from the keys of ``MODEL.MASK_FORMER`` for C training classes."""
        keys = cfg.MODEL.MASK_FORMER
        weights = (keys.CLASS_WEIGHT, keys.MASK_WEIGHT, keys.DICE_WEIGHT)
        matcher = HungarianMatcher(
            class_weight=weights[0], mask_weight=weights[1], dice_weight=weights[2], points=keys.TRAIN_NUM_POINTS
        )
        return cls(
            classes=classes,
            matcher=matcher,
            weights=weights,
            void_weight=keys.NO_OBJECT_WEIGHT,
            points=keys.TRAIN_NUM_POINTS,
            oversample=keys.OVERSAMPLE_RATIO,
            importance=keys.IMPORTANCE_SAMPLE_RATIO,
            deep_supervision=keys.DEEP_SUPERVISION,
        )

    def forward(
        self, predictions: MaskPredictions, targets: list[Target], masks_of_step: Sequence[int] | None = None
    ) -> dict[str, Tensor]:
        """Return the weighted losses, scalars: ``loss_ce``, ``loss_mask``, ``loss_dice``.

        Those of the intermediate predictions have ``_0``, ``_1``, … after their names.

        Args:
            predictions: of all images.
            targets: B of them; an image may have none.
            masks_of_step: the number of target masks of every image that this process has in the training step; None
                where these are all.
        """
        share = self._share(predictions.final, targets, masks_of_step)
        losses = self._weighted(predictions.final, targets, share, suffix="")
        if self.deep_supervision:
            for layer, prediction in enumerate(predictions.intermediate):
                losses.update(self._weighted(prediction, targets, share, suffix=f"_{layer}"))
        return losses

    def _share(
        self, prediction: Prediction, targets: list[Target], masks_of_step: Sequence[int] | None
    ) -> LossNormalisers:
        """Compare these images with those of the whole step; waits for no device."""
        queries, device = prediction.logits.shape[1], prediction.logits.device
        own = [len(target.labels) for target in targets]
        step = own if masks_of_step is None else masks_of_step
        numbers = (self._class_weights(own, queries), self._class_weights(step, queries), float(sum(step)))
        own_weight, *of_step = [torch.full((), number, device=device) for number in numbers]
        weight, masks = sum_over_ranks(torch.stack(of_step))
        return LossNormalisers(own_weight / (weight / world_size()), masks.clamp(min=1) / world_size())

    def _class_weights(self, counts: Sequence[int], queries: int) -> float:
        """Sum the class weights of all queries of some images; each target is matched while there are queries."""
        matched = sum(min(count, queries) for count in counts)
        return matched + self.void_weight * (queries * len(counts) - matched)

    def _weighted(
        self, prediction: Prediction, targets: list[Target], share: LossNormalisers, suffix: str
    ) -> dict[str, Tensor]:
        matches = self.matcher(prediction, targets)
        if not suffix:
            self.statistics.add(prediction, targets, matches)
        ce = class_loss(prediction.logits, self._labels(prediction, targets, matches), self.empty_weight)
        mask, dice = self._mask_losses(prediction, targets, matches, share.mask_count)
        losses = {"loss_ce": ce * share.class_weight, "loss_mask": mask, "loss_dice": dice}
        return {f"{name}{suffix}": loss * self.weights[name] for name, loss in losses.items()}

    def _labels(self, prediction: Prediction, targets: list[Target], matches: list[MatchedPairs]) -> Tensor:
        """Return (B, Q) int64: the class that each query should say, C (void) where it has no target."""
        labels = torch.full(prediction.logits.shape[:2], self.classes, device=prediction.logits.device)
        for row, target, match in zip(labels, targets, matches, strict=True):
            row[match.queries] = target.labels[match.targets]
        return labels

    def _mask_losses(
        self, prediction: Prediction, targets: list[Target], matches: list[MatchedPairs], mask_count: Tensor
    ) -> tuple[Tensor, Tensor]:
        predicted = torch.cat(
            [masks[match.queries] for masks, match in zip(prediction.masks, matches, strict=True)]
        )  # (n, H/4, W/4)
        wanted = torch.cat(
            [target.masks[match.targets] for target, match in zip(targets, matches, strict=True)]
        )  # (n, H, W)
        if len(predicted) == 0:
            nothing = prediction.masks.sum() * 0.0  # keeps every parameter in the graph
            return nothing, nothing
        with torch.autocast(predicted.device.type, enabled=False):
            predicted, wanted = predicted[:, None].float(), wanted[:, None].float()
            with torch.no_grad():
                counts, generators = [len(match.targets) for match in matches], [t.generator for t in targets]
                draw = partial(random_points, counts=counts, generators=generators, like=predicted)
                points = uncertain_points(predicted, self.points, self.oversample, self.importance, draw)
                labels = point_sample(wanted, points)[:, 0]  # (n, P)
            return mask_losses(point_sample(predicted, points)[:, 0], labels, mask_count)
