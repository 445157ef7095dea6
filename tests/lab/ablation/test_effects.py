"""Effects of simulated studies with known differences: intervals, power and verdicts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from lab.ablation.effects import (
    CONTRADICTED,
    SUPPORTED,
    UNDECIDED,
    Effect,
    PairedCounts,
    measure_effect,
    noncentrality_interval,
    quality,
)
from lab.ablation.questions import HIGHER, LOWER, Rule

RULE = Rule(level=0.95, power=0.8, resamples=100, smallest=0.0)
SEEDS, SCENES, CLASSES = 6, 40, 5
IOU = 0.8


def arm(rng: np.random.Generator, recall: float, hardness: np.ndarray, by_seed: float) -> np.ndarray:
    """Counts (4, S, N, C) of 1 object of each class in a scene, found with a probability of scene and seed."""
    shape = (SEEDS, len(hardness), CLASSES)
    probability = recall + rng.normal(0, by_seed, (SEEDS, 1, 1)) + hardness[:, None]
    found = rng.random(shape) < probability.clip(0, 1)
    false = rng.random(shape) < 0.1
    return np.stack([found, false, ~found, IOU * found]).astype(float)


def study(rng: np.random.Generator, effect: float, by_seed: float = 0.03, by_scene: float = 0.1) -> PairedCounts:
    hardness = rng.normal(0, by_scene, SCENES)
    return PairedCounts(arm(rng, 0.6 + effect, hardness, by_seed), arm(rng, 0.6, hardness, by_seed))


def expected_quality(recall: float) -> float:
    """PQ of infinitely many scenes: IoU · recall / (recall + false / 2 + missed / 2)."""
    return 100 * IOU * recall / (recall + 0.1 / 2 + (1 - recall) / 2)


def test_quality_is_the_mean_over_classes_that_occur() -> None:
    counts = np.array([[2, 0, 0], [0, 1, 0], [2, 1, 0], [1.5, 0, 0]], dtype=float)  # tp, fp, fn, IoU of 3 classes
    assert quality(counts) == pytest.approx(100 * (1.5 / (2 + 1) + 0) / 2)  # the third class does not occur
    assert np.isnan(quality(np.zeros((4, 2, 3)))).all()
    assert quality(np.stack([counts, counts], axis=1)).shape == (2,)


@pytest.mark.parametrize(("by_seed", "by_scene"), [(0.03, 0.1), (0.0, 0.25), (0.08, 0.0)])
def test_intervals_contain_the_true_difference_in_19_of_20_studies(by_seed: float, by_scene: float) -> None:
    rng = np.random.default_rng(1)
    effects = [measure_effect(study(rng, 0.0, by_seed, by_scene), RULE) for _ in range(80)]
    covered = np.mean([effect.low <= 0.0 <= effect.high for effect in effects])
    assert 0.89 <= covered <= 1.0
    errors = np.mean([effect.error for effect in effects])
    assert errors == pytest.approx(np.std([effect.difference for effect in effects]), rel=0.25)
    undecided = [effect.verdict(HIGHER, 0.0) == UNDECIDED for effect in effects]
    assert np.mean(undecided) == covered


def test_a_known_effect_is_measured_in_percent() -> None:
    true = expected_quality(0.75) - expected_quality(0.6)
    rng = np.random.default_rng(2)
    effects = [measure_effect(study(rng, 0.15, by_scene=0.0), RULE) for _ in range(40)]
    assert np.mean([effect.difference for effect in effects]) == pytest.approx(true, abs=0.5)
    assert np.mean([effect.low <= true <= effect.high for effect in effects]) >= 0.85  # 40 studies
    assert np.mean([effect.verdict(HIGHER, 0.0) == SUPPORTED for effect in effects]) > 0.95
    assert np.mean([effect.verdict(LOWER, 0.0) == CONTRADICTED for effect in effects]) > 0.95


def test_the_smallest_visible_effect_has_the_power_of_the_rule() -> None:
    effect = measure_effect(study(np.random.default_rng(3), 0.0), RULE)
    critical = stats.t.ppf(0.975, effect.freedom)
    power = stats.nct.sf(critical, effect.freedom, effect.smallest_visible / effect.error)
    assert power == pytest.approx(0.8, abs=0.03)


def test_equal_scenes_give_the_interval_of_a_paired_t_test() -> None:
    rng = np.random.default_rng(4)
    of_seed = [np.repeat(rng.integers(1, 9, (4, SEEDS, 1, CLASSES)), SCENES, axis=2).astype(float) for _ in "ab"]
    effect = measure_effect(PairedCounts(*of_seed), RULE)
    interval = stats.ttest_rel(effect.of_arm, effect.of_partner).confidence_interval(0.95)
    assert (effect.low, effect.high) == pytest.approx((interval.low, interval.high))


def test_equal_seeds_give_the_error_of_a_bootstrap_over_scenes() -> None:
    rng = np.random.default_rng(5)
    of_scenes = [rng.integers(0, 4, (4, 1, SCENES, CLASSES)).astype(float) for _ in "ab"]
    effect = measure_effect(PairedCounts(*(np.repeat(counts, SEEDS, axis=1) for counts in of_scenes)), RULE)

    def difference(index: np.ndarray) -> float:
        arm_quality, partner_quality = (float(quality(counts[:, 0, index].sum(axis=1))) for counts in of_scenes)
        return arm_quality - partner_quality

    of_scipy = stats.bootstrap((np.arange(SCENES),), difference, n_resamples=400, vectorized=False, rng=rng)
    assert effect.error == pytest.approx(of_scipy.standard_error, rel=0.15)
    assert effect.freedom == pytest.approx(SCENES - 1)


def test_degrees_of_freedom_are_those_of_an_analysis_of_variance() -> None:
    found = np.random.default_rng(7).normal(0.5, 0.1, (2, SEEDS, SCENES, 1))  # IoU of one object: PQ is its mean
    one, none = np.ones_like(found[0]), np.zeros_like(found[0])
    arms = [np.stack([one, none, none, iou]) for iou in found]
    effect = measure_effect(PairedCounts(*arms), RULE._replace(resamples=4000))
    table = 100 * (found[0] - found[1])[..., 0]  # (S, N)
    of_seeds, of_scenes = table.mean(axis=1).var(ddof=1) / SEEDS, table.mean(axis=0).var(ddof=1) / SCENES
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    both = (residual**2).sum() / ((SEEDS - 1) * (SCENES - 1)) / (SEEDS * SCENES)
    variance = max(of_seeds + of_scenes - both, of_seeds, of_scenes)
    uncertainty = of_seeds**2 / (SEEDS - 1) + of_scenes**2 / (SCENES - 1) + both**2 / ((SEEDS - 1) * (SCENES - 1))
    assert effect.freedom == pytest.approx(variance**2 / uncertainty, rel=0.1)


def test_scenes_are_paired() -> None:
    counts = arm(np.random.default_rng(6), 0.6, np.random.default_rng(7).normal(0, 0.3, SCENES), 0.1)
    effect = measure_effect(PairedCounts(counts, counts), RULE)
    assert (effect.difference, effect.error, effect.low, effect.high, effect.size) == (0, 0, 0, 0, 0)
    assert effect.verdict(HIGHER, 0.0) == UNDECIDED


def test_the_order_of_seeds_and_scenes_does_not_matter() -> None:
    counts = study(np.random.default_rng(8), 0.05)
    effect = measure_effect(counts, RULE)
    other = measure_effect(PairedCounts(*(each[:, ::-1] for each in counts)), RULE)
    assert (other.difference, other.error) == pytest.approx((effect.difference, effect.error))
    swapped = measure_effect(PairedCounts(counts.partner, counts.arm), RULE)
    assert (swapped.low, swapped.high) == pytest.approx((-effect.high, -effect.low))


@given(st.floats(-40, 40), st.integers(1, 30))
@settings(max_examples=25, deadline=None)
def test_intervals_of_the_effect_size_invert_the_noncentral_distribution(statistic: float, freedom: int) -> None:
    low, high = noncentrality_interval(statistic, freedom, 0.95)
    assert low < statistic < high or math.isclose(statistic, 0.0)
    negative = noncentrality_interval(-statistic, freedom, 0.95)
    assert negative == pytest.approx((-high, -low), abs=1e-3)


def test_an_interval_of_the_effect_size_is_that_of_scipy() -> None:
    low, high = noncentrality_interval(3.0, 7, 0.95)
    assert stats.nct.cdf(3.0, 7, low) == pytest.approx(0.975, abs=1e-3)
    assert stats.nct.cdf(3.0, 7, high) == pytest.approx(0.025, abs=1e-3)


@pytest.mark.parametrize(
    ("low", "high", "expected", "smallest", "verdict"),
    [
        (0.1, 2.0, HIGHER, 0.0, SUPPORTED),
        (0.1, 2.0, HIGHER, 0.5, UNDECIDED),  # positive, but perhaps too small
        (0.1, 2.0, LOWER, 0.0, CONTRADICTED),
        (-2.0, -0.1, LOWER, 0.0, SUPPORTED),
        (-2.0, -0.1, HIGHER, 0.0, CONTRADICTED),
        (-0.1, 2.0, HIGHER, 0.0, UNDECIDED),
        (0.0, 2.0, HIGHER, 0.0, UNDECIDED),
    ],
)
def test_verdicts(low: float, high: float, expected: str, smallest: float, verdict: str) -> None:
    none = np.zeros(2)
    assert Effect(0, low, high, 1, 1, 1, 0, 0, 0, none, none).verdict(expected, smallest) == verdict
