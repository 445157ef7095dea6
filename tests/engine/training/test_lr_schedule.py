"""Learning rates at hand-computed iterations."""

import math

import pytest

from frozenseg.config import CfgNode
from frozenseg.engine.training.lr_schedule import build_lr_schedule, describe_schedule
from frozenseg.errors import ConfigError


def test_published_schedule_drops_twice_and_does_not_warm_up(cfg: CfgNode) -> None:
    schedule = build_lr_schedule(cfg)
    expected = {
        0: 1.0,  # a warm-up factor of 1
        9: 1.0,
        327777: 1.0,
        327778: 0.1,  # first drop, exactly here
        355091: 0.1,
        355092: 0.01,
        368749: 0.01,
    }
    assert {iteration: schedule.factor(iteration) for iteration in expected} == pytest.approx(expected)


def test_warm_up_is_linear_and_joins_the_schedule(cfg: CfgNode) -> None:
    cfg.merge_from_list(["SOLVER.MAX_ITER", 100, "SOLVER.WARMUP_ITERS", 10, "SOLVER.WARMUP_FACTOR", 0.1])
    cfg.merge_from_list(["SOLVER.STEPS", [50]])
    schedule = build_lr_schedule(cfg)
    expected = {0: 0.1, 5: 0.55, 10: 1.0, 49: 1.0, 50: 0.1}
    assert {iteration: schedule.factor(iteration) for iteration in expected} == pytest.approx(expected)


def test_a_warm_up_longer_than_training_is_cut_not_compressed(cfg: CfgNode) -> None:
    cfg.merge_from_list(["SOLVER.MAX_ITER", 10, "SOLVER.WARMUP_ITERS", 40, "SOLVER.WARMUP_FACTOR", 0.0])
    for name in ("WarmupMultiStepLR", "WarmupCosineLR"):
        cfg.SOLVER.LR_SCHEDULER_NAME = name
        assert build_lr_schedule(cfg).factor(4) == pytest.approx(0.1)


def test_cosine_ends_at_the_end_rate(cfg: CfgNode) -> None:
    cfg.merge_from_list(["SOLVER.LR_SCHEDULER_NAME", "WarmupCosineLR", "SOLVER.MAX_ITER", 100])
    cfg.merge_from_list(["SOLVER.BASE_LR", 0.2, "SOLVER.BASE_LR_END", 0.02, "SOLVER.WARMUP_ITERS", 0])
    schedule = build_lr_schedule(cfg)
    assert schedule.factor(0) == 1.0
    assert schedule.factor(25) == pytest.approx(0.1 + 0.9 * (1 + math.cos(math.pi / 4)) / 2)
    assert schedule.factor(50) == pytest.approx(0.55)
    assert schedule.factor(100) == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["SOLVER.LR_SCHEDULER_NAME", "WarmupCosine"], "Did you mean 'WarmupCosineLR'"),
        (["SOLVER.MAX_ITER", 0], "MAX_ITER is 0"),
        (["SOLVER.STEPS", [5, 3]], r"STEPS is \[5, 3\], expected a list of .* in ascending order"),
        (["SOLVER.STEPS", [0, 3]], r"STEPS is \[0, 3\]"),
    ],
)
def test_invalid_schedules_are_refused(cfg: CfgNode, options: list[object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        cfg.merge_from_list(options)


@pytest.mark.parametrize(
    ("options", "description"),
    [
        (["SOLVER.STEPS", [50], "SOLVER.WARMUP_ITERS", 0], "times 0.1 after steps 50 (epoch 8.0)"),
        (["SOLVER.STEPS", []], "10 steps of warm-up, then constant"),
        (["SOLVER.LR_SCHEDULER_NAME", "WarmupCosineLR"], "10 steps of warm-up, then a cosine down to 0"),
    ],
)
def test_the_description_of_a_schedule(cfg: CfgNode, options: list[object], description: str) -> None:
    cfg.merge_from_list(["SOLVER.MAX_ITER", 100, *options])
    assert describe_schedule(cfg, images=100) == description
