"""Statistics of the matching, on masks of a few pixels."""

import pytest
import torch

from frozenseg.modeling.criterion import match_statistics
from frozenseg.modeling.criterion.match_statistics import MatchStatistics
from frozenseg.modeling.criterion.matcher import MatchedPairs
from frozenseg.modeling.types import Prediction, Target


def prediction() -> Prediction:
    """Return four queries, two classes and void, masks of 2×2; each query is sure of another class."""
    logits = torch.log(torch.tensor([[[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.3, 0.3, 0.4], [0.1, 0.1, 0.8]]]))
    masks = torch.tensor([[[[1.0, 1.0], [-1, -1]], [[1.0, -1], [1, -1]], [[-1.0, -1], [-1, -1]], [[1.0, 1], [1, 1]]]])
    return Prediction(logits, masks)


def target(*rows: list[list[int]], labels: tuple[int, ...]) -> Target:
    masks = torch.tensor(rows, dtype=torch.bool).repeat_interleave(4, dim=1).repeat_interleave(4, dim=2)  # (n, 8, 8)
    return Target(torch.tensor(labels), masks)


def match(queries: list[int], targets: list[int]) -> MatchedPairs:
    return MatchedPairs(torch.tensor(queries, dtype=torch.int64), torch.tensor(targets, dtype=torch.int64))


def test_by_hand() -> None:
    statistics = MatchStatistics()
    top, all_but_one, nothing = [[1, 1], [0, 0]], [[1, 1], [1, 0]], [[0, 0], [0, 0]]
    targets = target(top, all_but_one, nothing, labels=(1, 0, 0))
    statistics.add(prediction(), [targets], [match([0, 1, 3], [1, 0, 2])])
    statistics.add(prediction(), [target(top, labels=(0,))], [match([0], [0])])
    result = statistics.take()
    assert result["queries_matched"] == 0.75  # 0, 1 and 3
    assert result["matched_probability"] == pytest.approx((0.7 + 0.8 + 0.1 + 0.7) / 4)
    assert result["matched_iou"] == pytest.approx((2 / 3 + 1 / 3 + 1) / 3)  # a target without a pixel has none
    assert statistics.take() == {}


def test_images_without_targets() -> None:
    statistics = MatchStatistics()
    empty = Target(torch.zeros(0, dtype=torch.int64), torch.zeros(0, 8, 8, dtype=torch.bool))
    statistics.add(prediction(), [empty], [match([], [])])
    assert statistics.take() == {"queries_matched": 0.0, "matched_probability": 0.0, "matched_iou": 0.0}


def test_processes_are_summed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(match_statistics, "sum_over_ranks", lambda tensor: 2 * tensor)
    statistics = MatchStatistics()
    statistics.add(prediction(), [target([[1, 1], [0, 0]], labels=(0,))], [match([0], [0])])
    assert statistics.take() == {"queries_matched": 0.25, "matched_probability": pytest.approx(0.7), "matched_iou": 1.0}
