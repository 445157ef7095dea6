"""Effect of an ablation on a metric: difference from its partner, with interval, effect size, power and verdict.

Both arms have the same seeds and are evaluated on the same scenes, so that all comparisons are within pairs. The
bootstrap draws scenes with replacement, the same ones for both arms and all seeds, and computes PQ from the counts of
the drawn scenes: PQ is no mean over scenes.

The variance of the mean difference has three parts: of seeds, of scenes, and of their interaction. The deviation over
seeds contains the first and the third, the bootstrap over scenes the second and the third; the third is subtracted once
(two-way clustering; Cameron, Gelbach & Miller 2011; Owen 2007). Degrees of freedom are Satterthwaite's, so that few
seeds give wide intervals.

Letters: S seeds, N scenes, C classes, R resamples.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import optimize, stats

from frozenseg.evaluation.class_table import PERCENT
from frozenseg.evaluation.panoptic_matching import PanopticCounts
from frozenseg.evaluation.panoptic_quality import class_qualities
from lab.ablation.questions import LOWER, Rule

SUPPORTED, CONTRADICTED, UNDECIDED = "supported", "contradicted", "undecided"
AT_ONCE = 250  # resamples computed together
QUANTILES = 4000
BOOTSTRAP_SEED = 0


class PairedCounts(NamedTuple):
    """Counts of PQ of both arms, (4, S, N, C): tp, fp, fn and sum of IoU of the classes of the metric."""

    arm: np.ndarray
    partner: np.ndarray


@dataclass(frozen=True)
class Effect:
    """Difference between an arm and its partner, in percent.

    Attributes:
        difference: mean over seeds of the difference of the metric on all scenes.
        low, high: interval of the difference.
        error: its standard error.
        freedom: degrees of freedom of the standard error.
        smallest_visible: smallest difference whose interval excludes 0 with the probability ``power``.
        size: difference divided by its deviation over seeds, Cohen's d of pairs.
        size_low, size_high: interval of the size.
        of_arm, of_partner: (S,) the metric of each seed.
    """

    difference: float
    low: float
    high: float
    error: float
    freedom: float
    smallest_visible: float
    size: float
    size_low: float
    size_high: float
    of_arm: np.ndarray
    of_partner: np.ndarray

    def verdict(self, expected: str, smallest: float) -> str:
        """Return SUPPORTED, CONTRADICTED or UNDECIDED.

        Args:
            expected: HIGHER or LOWER, the direction of the claim.
            smallest: effect that the whole interval must exceed to support the claim, percent.
        """
        low, high = (-self.high, -self.low) if expected == LOWER else (self.low, self.high)
        if low > smallest:
            return SUPPORTED
        return CONTRADICTED if high < 0.0 else UNDECIDED


def quality(counts: np.ndarray) -> np.ndarray:
    """Return PQ, the mean over the classes that occur, in percent; NaN if none occurs.

    Args:
        counts: (4, …, C) sums over scenes of tp, fp, fn and IoU.

    Returns:
        (…) float64.
    """
    of_classes = class_qualities(PanopticCounts(*counts))["PQ"]
    known = ~np.isnan(of_classes)
    number = known.sum(axis=-1)
    sums = np.where(known, of_classes, 0.0).sum(axis=-1)
    return PERCENT * np.divide(sums, number, out=np.full(number.shape, np.nan), where=number > 0)


def measure_effect(counts: PairedCounts, rule: Rule) -> Effect:
    """Measure the difference between two arms.

    Args:
        counts: of both arms, with at least two seeds and two scenes.
        rule: level of the interval, power, and number of resamples.
    """
    seeds, scenes = counts.arm.shape[1:3]
    of_arm, of_partner = (quality(each.sum(axis=2)) for each in counts)  # (S,)
    differences = of_arm - of_partner
    between = float(differences.var(ddof=1)) / seeds  # seeds + interaction
    of_scenes, interaction = _scene_variances(counts, rule.resamples)
    variance = max(between + of_scenes - interaction, between, of_scenes)
    error = math.sqrt(variance)
    freedom = _degrees_of_freedom(variance, (between, of_scenes, interaction), seeds - 1, scenes - 1)
    quantile = float(stats.t.ppf((1.0 + rule.level) / 2.0, freedom))
    difference = float(differences.mean())
    return Effect(
        difference,
        difference - quantile * error,
        difference + quantile * error,
        error,
        freedom,
        (quantile + float(stats.t.ppf(rule.power, freedom))) * error,
        *_effect_size(differences, rule.level),
        of_arm,
        of_partner,
    )


def _scene_variances(counts: PairedCounts, resamples: int) -> tuple[float, float]:
    """Return the variance of the mean difference over drawn scenes, and the part that is interaction with seeds."""
    seeds, scenes = counts.arm.shape[1:3]
    differences = np.concatenate(list(_drawn_differences(counts, resamples)))  # (R, S)
    differences = differences[~np.isnan(differences).any(axis=1)]  # without draws in which no class occurs
    correction = scenes / (scenes - 1)
    of_mean = float(differences.mean(axis=1).var()) * correction
    of_one_seed = float(differences.var(axis=0).mean()) * correction
    return of_mean, max(0.0, (of_one_seed - of_mean) / (seeds - 1))


def _drawn_differences(counts: PairedCounts, resamples: int) -> Iterator[np.ndarray]:
    """Yield (r, S) differences on drawn scenes, the same scenes for all seeds and both arms."""
    rng = np.random.default_rng(BOOTSTRAP_SEED)
    scenes = counts.arm.shape[2]
    for first in range(0, resamples, AT_ONCE):
        rows = min(AT_ONCE, resamples - first)
        weights = rng.multinomial(scenes, np.full(scenes, 1.0 / scenes), size=rows).astype(float)  # (r, N)
        arm, partner = (quality(np.einsum("rn,ksnc->krsc", weights, each, optimize=True)) for each in counts)
        yield arm - partner


def _degrees_of_freedom(variance: float, parts: tuple[float, float, float], of_seeds: int, of_scenes: int) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of variances.

    Args:
        variance: the sum.
        parts: variance of the seeds, of the scenes, and their interaction, which is subtracted.
        of_seeds: degrees of freedom of the first; those of the interaction are the product of both.
        of_scenes: degrees of freedom of the second.
    """
    freedoms = (of_seeds, of_scenes, of_seeds * of_scenes)
    uncertainty = sum(part**2 / freedom for part, freedom in zip(parts, freedoms, strict=True))
    return variance**2 / uncertainty if uncertainty > 0.0 else float(of_seeds)


def _effect_size(differences: np.ndarray, level: float) -> tuple[float, float, float]:
    """Return Cohen's d of paired differences (S,) and its interval."""
    deviation = float(differences.std(ddof=1))
    if deviation == 0.0:
        size = math.copysign(math.inf, differences.mean()) if differences.any() else 0.0
        return size, size, size
    root = math.sqrt(len(differences))
    statistic = float(differences.mean()) / deviation * root
    low, high = noncentrality_interval(statistic, len(differences) - 1, level)
    return statistic / root, low / root, high / root


def noncentrality_interval(statistic: float, freedom: int, level: float) -> tuple[float, float]:
    """Return the interval of the noncentrality of a t statistic, by inversion of its distribution function.

    The function is a mean over the quantiles of the deviation, because that of scipy is not defined for some values.

    Args:
        statistic: mean divided by its standard error.
        freedom: degrees of freedom of the standard error.
        level: of the interval.
    """
    shares = (np.arange(QUANTILES) + 0.5) / QUANTILES
    scaled = statistic * np.sqrt(stats.chi2.ppf(shares, freedom) / freedom)
    bound = 4.0 * abs(statistic) + 10.0
    tail = (1.0 - level) / 2.0
    low, high = (
        optimize.brentq(lambda value, share=share: stats.norm.cdf(scaled - value).mean() - share, -bound, bound)
        for share in (1.0 - tail, tail)
    )
    return float(low), float(high)
