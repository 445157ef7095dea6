"""Training criterion of mask classification with deep supervision (DETR; Mask2Former, Cheng et al. 2022, sec. 3.3).

Each prediction, intermediate or final, is matched with the targets separately.

Letters: B images, Q queries, C classes, n matched masks of the batch, H×W the padded input, P points.
"""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from frozenseg.config import CfgNode
from frozenseg.distributed import sum_over_ranks, world_size
from frozenseg.modeling.criterion.losses import class_loss, mask_losses, random_points, uncertain_points
from frozenseg.modeling.criterion.match_statistics import MatchStatistics
from frozenseg.modeling.criterion.matcher import HungarianMatcher, MatchedPairs
from frozenseg.modeling.layers.mask_product import mask_product
from frozenseg.modeling.ops.point_sample import point_sample, point_sample_masks
from frozenseg.modeling.types import MaskPredictions, Prediction, Target
from frozenseg.structures.shapes import check_shape


class LossNormalisers(NamedTuple):
    """Loss normalisers of one micro-batch.

    With them the losses, summed over micro-batches and averaged over ranks, equal the loss of the whole training step.
    """

    class_weight: Tensor  # scalar that the mean class loss of the micro-batch is multiplied by
    mask_count: Tensor  # scalar that the sums of its mask losses are divided by


class SetCriterion(nn.Module):
    """Class, mask and dice loss of matched queries, with deep supervision.

    Args:
        classes: C.
        matcher: assigns queries to targets.
        weights: of the class, mask and dice loss.
        void_weight: weight of queries without a target in the class loss.
        points: P per mask.
        oversample: see :func:`uncertain_points`.
        importance: see :func:`uncertain_points`.
        deep_supervision: True to supervise the intermediate predictions too.

    Attributes:
        statistics: of the matches of the final prediction.
    """

    empty_weight: Tensor  # (C + 1,) class weights of the class loss, void last

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
        self.void_counts = void_weight >= torch.finfo(empty_weight.dtype).tiny
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

        The names of intermediate predictions end in ``_0``, ``_1``, …

        Args:
            predictions: of B images.
            targets: ground truth of each image; an image may have none.
            masks_of_step: number of target masks of each image of this process in the training step, if these images
                are a micro-batch of it; None if they are the whole step.

        Raises:
            ShapeError: a tensor of another shape.
        """
        self._check(predictions, targets)
        normalisers = self._normalisers(predictions.final, targets, masks_of_step)
        matches = self.matcher(predictions.final, targets)
        self.statistics.add(predictions.final, targets, matches)
        losses = self._losses(predictions.final, targets, matches, normalisers)
        if self.deep_supervision:
            for layer, prediction in enumerate(predictions.intermediate):
                matches = self.matcher(prediction, targets)
                layer_losses = self._losses(prediction, targets, matches, normalisers)
                losses |= {f"{name}_{layer}": loss for name, loss in layer_losses.items()}
        return losses

    def _check(self, predictions: MaskPredictions, targets: list[Target]) -> None:
        for prediction in (predictions.final, *predictions.intermediate):
            check_shape("logits", prediction.logits, "B Q C", B=len(targets), C=self.classes + 1)
            check_shape("masks", prediction.masks, "B Q H W", B=len(targets), Q=prediction.logits.shape[1])
        for target in targets:
            check_shape("target masks", target.masks, "n H W", n=len(target.labels))

    def _normalisers(
        self, prediction: Prediction, targets: list[Target], masks_of_step: Sequence[int] | None
    ) -> LossNormalisers:
        """Return the normalisers of this micro-batch, without a device synchronisation."""
        queries, device = prediction.logits.shape[1], prediction.logits.device
        batch = [len(target.labels) for target in targets]
        step = batch if masks_of_step is None else masks_of_step
        numbers = (self._class_weights(batch, queries), self._class_weights(step, queries), float(sum(step)))
        batch_weight, *of_step = [torch.full((), number, device=device) for number in numbers]
        step_weight, masks = sum_over_ranks(torch.stack(of_step))
        # a step of void queries only has no weight if void has none
        share = torch.where(step_weight > 0, batch_weight / (step_weight / world_size()), 0.0)
        return LossNormalisers(share, masks.clamp(min=1) / world_size())

    def _class_weights(self, mask_counts: Sequence[int], queries: int) -> float:
        """Sum the class weights over all queries of some images; at most Q targets of an image are matched."""
        matched = sum(min(count, queries) for count in mask_counts)
        return matched + self.void_weight * (queries * len(mask_counts) - matched)

    def _losses(
        self,
        prediction: Prediction,
        targets: list[Target],
        matches: list[MatchedPairs],
        normalisers: LossNormalisers,
    ) -> dict[str, Tensor]:
        """Return the weighted losses of one prediction."""
        if self.void_counts or any(len(target.labels) for target in targets):
            ce = class_loss(prediction.logits, self._labels(prediction, targets, matches), self.empty_weight)
        else:  # a weighted mean over queries without weight would be 0/0
            ce = prediction.logits.float().sum() * 0.0  # keeps every parameter in the graph
        mask, dice = self._mask_losses(prediction, targets, matches, normalisers.mask_count)
        losses = {"loss_ce": ce * normalisers.class_weight, "loss_mask": mask, "loss_dice": dice}
        return {name: loss * self.weights[name] for name, loss in losses.items()}

    def _labels(self, prediction: Prediction, targets: list[Target], matches: list[MatchedPairs]) -> Tensor:
        """Return the target class of each query, (B, Q) int64; C (void) for a query without a target."""
        labels = torch.full(prediction.logits.shape[:2], self.classes, device=prediction.logits.device)
        for image_labels, target, pairs in zip(labels, targets, matches, strict=True):
            image_labels[pairs.queries] = target.labels[pairs.targets]
        return labels

    def _mask_losses(
        self, prediction: Prediction, targets: list[Target], matches: list[MatchedPairs], mask_count: Tensor
    ) -> tuple[Tensor, Tensor]:
        predicted = _matched_masks(prediction, matches)  # (n, H/4, W/4)
        actual = torch.cat(
            [target.masks[pairs.targets] for target, pairs in zip(targets, matches, strict=True)]
        )  # (n, H, W)
        if len(predicted) == 0:
            zero = prediction.masks.sum() * 0.0  # keeps every parameter in the graph
            return zero, zero
        with torch.autocast(predicted.device.type, enabled=False):
            predicted = predicted[:, None].float()  # (n, 1, H/4, W/4)
            with torch.no_grad():
                counts, generators = [len(pairs.targets) for pairs in matches], [t.generator for t in targets]
                draw = partial(random_points, counts=counts, generators=generators, like=predicted)
                points = uncertain_points(predicted, self.points, self.oversample, self.importance, draw)
                labels = point_sample_masks(actual, points)  # (n, P)
            return mask_losses(point_sample(predicted, points)[:, 0], labels, mask_count)


def _matched_masks(prediction: Prediction, matches: list[MatchedPairs]) -> Tensor:
    """Return the mask logits of the matched queries of all images, (n, H/4, W/4).

    With factors, they are products of the matched queries alone. The values are the same; in the backward pass, there
    is no gradient of the masks of all queries, most of which would be zeros.
    """
    if prediction.factors is None:
        return torch.cat([masks[pairs.queries] for masks, pairs in zip(prediction.masks, matches, strict=True)])
    embeddings, features = prediction.factors
    queries = pad_sequence([pairs.queries for pairs in matches], batch_first=True)  # (B, most pairs of an image)
    chosen = embeddings.gather(1, queries[:, :, None].expand(-1, -1, embeddings.shape[2]))
    masks = mask_product(chosen, features).flatten(0, 1)
    counts, most = [len(pairs.queries) for pairs in matches], queries.shape[1]
    if min(counts) == most:
        return masks
    return torch.cat([of_image[:count] for of_image, count in zip(torch.split(masks, most), counts, strict=True)])
