"""Comparison of matchings with the reference: the same pairs, or pairs with the same cost.

Letters: Q queries, n targets of one image.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import Tensor

from frozenseg.modeling.criterion.matcher import HungarianMatcher, MatchedPairs
from frozenseg.modeling.criterion.set_criterion import SetCriterion
from frozenseg.modeling.types import Prediction, Target
from lab.parity.compare import DEVIATIONS, Comparer, Row


class RecordingMatcher(HungarianMatcher):
    """A matcher that records the costs and matches of every call.

    Args:
        matcher: with the settings to use.

    Attributes:
        matches: for each call a list of B matches.
        costs: for each call a list of B costs (Q, n).
    """

    def __init__(self, matcher: HungarianMatcher) -> None:
        super().__init__(
            class_weight=matcher.class_weight,
            mask_weight=matcher.mask_weight,
            dice_weight=matcher.dice_weight,
            points=matcher.points,
        )
        self.matches: list[list[MatchedPairs]] = []
        self.costs: list[list[Tensor]] = []

    def __call__(self, prediction: Prediction, targets: list[Target]) -> list[MatchedPairs]:
        """Match and record every image."""
        self.costs.append([])
        self.matches.append(super().__call__(prediction, targets))
        return self.matches[-1]

    def _cost(self, logits: Tensor, masks: Tensor, target: Target) -> Tensor:
        cost = super()._cost(logits, masks, target)
        self.costs[-1].append(cost)
        return cost


@contextmanager
def recorded(criterion: SetCriterion) -> Iterator[RecordingMatcher]:
    """Replace the matcher of a criterion by a recording one."""
    matcher = criterion.matcher
    criterion.matcher = recording = RecordingMatcher(matcher)
    try:
        yield recording
    finally:
        criterion.matcher = matcher


def compare_matchings(
    compare: Comparer, name: str, goldens: Sequence[Sequence[Any]], matcher: RecordingMatcher
) -> Iterator[Row]:
    """Yield a row for the matching of every prediction, the final one first.

    A different pair is a tie if the pairs of the reference have the same total cost under our costs.

    Args:
        compare: of the case.
        name: of the step.
        goldens: for each prediction and image, the matched queries and targets of the reference.
        matcher: with our costs and matches.
    """
    for call, golden in enumerate(goldens):
        different, ties = 0, 0
        for (queries, targets), match, cost in zip(golden, matcher.matches[call], matcher.costs[call], strict=True):
            pairs = set(zip(match.queries.tolist(), match.targets.tolist(), strict=True))
            moved = len(set(zip(queries, targets, strict=True)) - pairs)
            if moved:
                extra_cost = float(cost[queries, targets].sum() - cost[match.queries, match.targets].sum())
                tied = extra_cost <= moved * 2 * DEVIATIONS * float(cost.std())
                different, ties = different + (0 if tied else moved), ties + (moved if tied else 0)
        yield compare.equal(f"{name} {call - 1 if call else 'final'}", different, ties)
