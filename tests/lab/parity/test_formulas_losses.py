"""Matching and losses: our modules against the formulas, in float64 and on the same random points."""

from functools import partial

import numpy as np
import pytest
import torch

from frozenseg.modeling.criterion.losses import class_loss, mask_losses, random_points, uncertain_points
from frozenseg.modeling.criterion.matcher import HungarianMatcher
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.types import MaskPredictions, Prediction, Target
from tests.lab.parity.formulas import losses
from tests.lab.parity.formulas.losses import GroundTruth, LossSetting
from tests.lab.parity.formulas.primitives import resize, sample
from tests.lab.parity.formulas.torch_side import TIGHT, agree, draw, float64, normal, tensor, tensors
from tests.lab.parity.formulas.transformer_decoder import Predicted

SEEDS = (0, 1, 2)
CLASSES, QUERIES = 5, 7
SETTING = LossSetting(2.0, 5.0, 5.0, 0.125, 50, 3.0, 0.75)  # an eighth: the model keeps this weight in float32


def predicted(seed: int, batch: int) -> Predicted:
    masks = resize(3 * normal(seed, batch, QUERIES, 4, 5), (20, 25))[..., 4:-4, 5:-5]  # not the flat edge: no ties
    return Predicted(2 * normal(seed, batch, QUERIES, CLASSES + 1), masks)


def ground_truths(seed: int, counts: tuple[int, ...]) -> list[GroundTruth]:
    """Return blobs and labels; ``counts`` targets an image."""
    return [
        GroundTruth(
            np.random.default_rng(seed).integers(0, CLASSES, count),
            resize(normal(seed + image, count, 5, 5), (24, 30)) > 0.2,
        )
        for image, count in enumerate(counts)
    ]


def as_prediction(one: Predicted) -> Prediction:
    return Prediction(*tensors(one))


def as_targets(several: list[GroundTruth]) -> list[Target]:
    return [Target(*tensors(one)) for one in several]


def matcher() -> HungarianMatcher:
    return HungarianMatcher(class_weight=2.0, mask_weight=5.0, dice_weight=5.0, points=SETTING.points)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("counts", [(3, 5), (0, 4), (9, 1)])
def test_matching(counts: tuple[int, int], seed: int) -> None:
    """Nine targets are more than the queries."""
    prediction, targets = predicted(seed, 2), ground_truths(seed, counts)
    with float64():
        actual = matcher()(as_prediction(prediction), as_targets(targets))
    expected = losses.match(prediction, targets, draw(1, SETTING.points, 2)[0], SETTING)
    for mine, (queries, targets) in zip(actual, expected, strict=True):
        assert dict(zip(mine.queries.tolist(), mine.targets.tolist(), strict=True)) == dict(
            zip(queries.tolist(), targets.tolist(), strict=True)
        )


@pytest.mark.parametrize("seed", SEEDS)
def test_matching_costs(seed: int) -> None:
    prediction, [targets] = predicted(seed, 1), ground_truths(seed, (4,))
    with float64():
        actual = matcher()._cost(*(tensor[0] for tensor in as_prediction(prediction)[:2]), as_targets([targets])[0])
    points = draw(1, SETTING.points, 2)[0]
    agree(actual, losses.matching_cost(prediction.logits[0], prediction.masks[0], targets, points, SETTING))


@pytest.mark.parametrize("seed", SEEDS)
def test_losses_on_given_points(seed: int) -> None:
    predictions, targets = 3 * normal(seed, 6, 40), (normal(seed + 1, 6, 40) > 0).astype(float)
    cross_entropy, dice = mask_losses(*tensors((predictions, targets)), torch.tensor(4.0, dtype=torch.float64))
    agree(cross_entropy, np.asarray(losses.binary_cross_entropy(predictions, targets).mean(axis=-1).sum() / 4))
    agree(dice, np.asarray(losses.dice(predictions, targets).sum() / 4))
    logits, labels = normal(seed, 2, QUERIES, CLASSES + 1), np.random.default_rng(seed).integers(0, CLASSES + 1, (2, 7))
    weights = torch.ones(CLASSES + 1, dtype=torch.float64)
    weights[-1] = SETTING.void_weight
    with float64():
        actual = class_loss(*tensors((logits, labels)), weights)
    agree(actual, np.asarray(losses.class_loss(logits, labels, SETTING.void_weight)))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(("oversample", "importance"), [(3.0, 0.75), (2.5, 0.5), (1.0, 0.0)])
def test_uncertain_points(oversample: float, importance: float, seed: int) -> None:
    masks, points = predicted(seed, 2).masks[0], SETTING.points
    with float64():
        logits = tensor(masks)[:, None]
        drawn = partial(random_points, counts=[QUERIES], generators=[None], like=logits)
        actual = uncertain_points(logits, points, oversample, importance, drawn)
    keep = int(importance * points)
    candidates, uniform = draw(QUERIES, int(oversample * points), 2), draw(QUERIES, points - keep, 2)
    for mask, mine, few, rest in zip(masks, actual.numpy(), candidates, uniform, strict=True):
        expected = losses.training_points(mask, few, rest, keep)
        assert np.allclose(np.sort(sample(mask, *mine.T)), np.sort(sample(mask, *expected.T)), atol=TIGHT)
        assert np.allclose(mine[np.lexsort(mine.T)], expected[np.lexsort(expected.T)], atol=TIGHT)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("counts", [(3, 5), (0, 4), (0, 0), (2, 9)])
def test_whole_criterion_with_deep_supervision(counts: tuple[int, int], seed: int) -> None:
    predictions, targets = [predicted(seed + layer, 2) for layer in range(3)], ground_truths(seed, counts)
    numbers = {"weights": SETTING[:3], "void_weight": 0.125, "points": 50, "oversample": 3.0, "importance": 0.75}
    criterion = SetCriterion(classes=CLASSES, matcher=matcher(), **numbers).double()
    *before, final = (as_prediction(one) for one in predictions)
    with float64():
        actual = criterion(MaskPredictions(final, tuple(before)), as_targets(targets))
    expected = losses.criterion(predictions, targets, draw, SETTING)
    assert {name: loss.item() for name, loss in actual.items()} == pytest.approx(expected, abs=TIGHT)
