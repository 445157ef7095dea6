"""§7: matching and losses, with the random points given."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from tests.lab.parity.formulas.primitives import sample, sigmoid, softmax
from tests.lab.parity.formulas.transformer_decoder import Predicted

Draw = Callable[..., np.ndarray]  # draw(n, points, 2) gives uniform numbers in 0 … 1


class GroundTruth(NamedTuple):
    """The targets of one image."""

    labels: np.ndarray  # (n,)
    masks: np.ndarray  # (n, H, W) of 0 and 1


class LossSetting(NamedTuple):
    """The numbers of the recipe."""

    class_weight: float
    mask_weight: float
    dice_weight: float
    void_weight: float
    points: int
    oversample: float
    importance: float


def binary_cross_entropy(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return -[t log σ + (1 - t) log(1 - σ)], elementwise."""
    return np.logaddexp(0, logits) - targets * logits


def dice(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return 1 - (2 Σ σt + 1) / (Σ σ + Σ t + 1) over the last axis."""
    p = sigmoid(logits)
    return 1 - (2 * (p * targets).sum(axis=-1) + 1) / (p.sum(axis=-1) + targets.sum(axis=-1) + 1)


def matching_cost(
    logits: np.ndarray, masks: np.ndarray, ground_truth: GroundTruth, points: np.ndarray, setting: LossSetting
) -> np.ndarray:
    """Return (Q, n): 2·(-p[class]) + 5·BCE + 5·dice on points (P, 2) that all masks of the image share."""
    x, y = points.T
    predictions = sample(masks, x, y)[:, None]
    targets = sample(ground_truth.masks.astype(float), x, y)[None]
    cost = setting.class_weight * -softmax(logits)[:, ground_truth.labels]
    cost = cost + setting.mask_weight * binary_cross_entropy(predictions, targets).mean(axis=-1)
    return cost + setting.dice_weight * dice(predictions, targets)


def match(
    prediction: Predicted, ground_truths: list[GroundTruth], points: np.ndarray, setting: LossSetting
) -> list[np.ndarray]:
    """Return for each image (2, n): the queries, ascending, and the target of each."""
    return [
        np.array(linear_sum_assignment(matching_cost(logits, masks, ground_truth, points, setting)))
        for logits, masks, ground_truth in zip(*prediction, ground_truths, strict=True)
    ]


def training_points(mask: np.ndarray, candidates: np.ndarray, uniform: np.ndarray, keep: int) -> np.ndarray:
    """Return points (P, 2): of the candidates those with the ``keep`` smallest |logit|, and the uniform ones."""
    uncertainty = np.abs(sample(mask, *candidates.T))
    return np.concatenate([candidates[np.argsort(uncertainty, kind="stable")[:keep]], uniform])


def class_loss(logits: np.ndarray, labels: np.ndarray, void_weight: float) -> float:
    """Mean cross-entropy of all queries, (B, Q, C + 1) against (B, Q): weight 1 for a class, less for void."""
    weight = np.where(labels == logits.shape[-1] - 1, void_weight, 1.0)
    chosen = np.take_along_axis(softmax(logits), labels[..., None], axis=-1)[..., 0]
    return float((weight * -np.log(chosen)).sum() / weight.sum())


def losses_of(
    prediction: Predicted, ground_truths: list[GroundTruth], draw: Draw, setting: LossSetting
) -> tuple[float, float, float]:
    """Return the weighted cross-entropy, mask and dice loss of one prediction with its own matching."""
    batch, queries, outputs = prediction.logits.shape
    matches = match(prediction, ground_truths, draw(1, setting.points, 2)[0], setting)
    labels = np.full((batch, queries), outputs - 1)
    for image, (chosen, targets) in enumerate(matches):
        labels[image, chosen] = ground_truths[image].labels[targets]
    pairs = [(image, query, target) for image, found in enumerate(matches) for query, target in found.T]
    keep = int(setting.importance * setting.points)
    candidates = draw(len(pairs), int(setting.oversample * setting.points), 2)
    uniform = draw(len(pairs), setting.points - keep, 2)
    mask_loss = dice_loss = 0.0
    for pair, (image, query, target) in enumerate(pairs):
        mask = prediction.masks[image, query]
        x, y = training_points(mask, candidates[pair], uniform[pair], keep).T
        predictions, targets = sample(mask, x, y), sample(ground_truths[image].masks[target].astype(float), x, y)
        mask_loss += float(binary_cross_entropy(predictions, targets).mean())
        dice_loss += float(dice(predictions, targets))
    share = max(sum(len(ground_truth.labels) for ground_truth in ground_truths), 1)
    return (
        setting.class_weight * class_loss(prediction.logits, labels, setting.void_weight),
        setting.mask_weight * mask_loss / share,
        setting.dice_weight * dice_loss / share,
    )


def criterion(
    predictions: list[Predicted], ground_truths: list[GroundTruth], draw: Draw, setting: LossSetting
) -> dict[str, float]:
    """Return all losses by name: the last prediction's without a number, ``_0`` from the initial queries and so on."""
    named = {}
    for number, prediction in enumerate(predictions):
        suffix = "" if number == len(predictions) - 1 else f"_{number}"
        values = losses_of(prediction, ground_truths, draw, setting)
        named |= dict(zip((f"loss_ce{suffix}", f"loss_mask{suffix}", f"loss_dice{suffix}"), values, strict=True))
    return named
