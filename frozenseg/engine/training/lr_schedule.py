"""Learning-rate schedules as functions of the iteration alone, so that a resumed run needs no saved state."""

from collections.abc import Callable

from fvcore.common.param_scheduler import (
    CompositeParamScheduler,
    CosineParamScheduler,
    LinearParamScheduler,
    MultiStepParamScheduler,
    ParamScheduler,
)

from frozenseg.config import CfgNode

BUILDERS: dict[str, Callable[[CfgNode], ParamScheduler]] = {}


class LearningRateSchedule:
    """Factor on the initial learning rate of every parameter group, for each iteration.

    Args:
        schedule: fvcore's schedule over training progress, from 0 to 1.
        max_iter: training steps.
    """

    def __init__(self, schedule: ParamScheduler, max_iter: int) -> None:
        self._schedule = schedule
        self._max_iter = max_iter

    def factor(self, iteration: int) -> float:
        """Return the factor of the step that follows ``iteration`` steps."""
        return float(self._schedule(min(iteration / self._max_iter, 1.0)))


def build_lr_schedule(cfg: CfgNode) -> LearningRateSchedule:
    """Build the schedule that the SOLVER keys describe.

    Args:
        cfg: reads SOLVER.{LR_SCHEDULER_NAME, MAX_ITER, WARMUP_ITERS, WARMUP_FACTOR} and the keys of the schedule.
    """
    solver = cfg.SOLVER
    schedule = BUILDERS[solver.LR_SCHEDULER_NAME](solver)
    return LearningRateSchedule(_with_warmup(schedule, solver), solver.MAX_ITER)


def describe_schedule(cfg: CfgNode, images: int) -> str:
    """Describe the schedule in steps and epochs, for the log.

    Args:
        cfg: reads SOLVER.IMS_PER_BATCH and the keys of :func:`build_lr_schedule`.
        images: number of training images.
    """
    solver = cfg.SOLVER
    epochs_per_step = solver.IMS_PER_BATCH / images
    drops = [f"{step} (epoch {step * epochs_per_step:.1f})" for step in solver.STEPS if step < solver.MAX_ITER]
    after_warmup = {
        "WarmupMultiStepLR": f"times {solver.GAMMA:g} after steps {', '.join(drops)}" if drops else "constant",
        "WarmupCosineLR": f"a cosine down to {solver.BASE_LR_END:g}",
    }.get(solver.LR_SCHEDULER_NAME, solver.LR_SCHEDULER_NAME)
    return f"{solver.WARMUP_ITERS} steps of warm-up, then {after_warmup}" if solver.WARMUP_ITERS > 0 else after_warmup


def _multi_step(solver: CfgNode) -> ParamScheduler:
    steps = [step for step in solver.STEPS if step < solver.MAX_ITER]
    values = [solver.GAMMA**drops for drops in range(len(steps) + 1)]
    return MultiStepParamScheduler(values, num_updates=solver.MAX_ITER, milestones=steps)


def _cosine(solver: CfgNode) -> ParamScheduler:
    return CosineParamScheduler(1.0, solver.BASE_LR_END / solver.BASE_LR)


def _with_warmup(schedule: ParamScheduler, solver: CfgNode) -> ParamScheduler:
    start, full = solver.WARMUP_FACTOR * schedule(0.0), schedule(0.0)
    if solver.WARMUP_ITERS <= 0:
        return schedule
    share = solver.WARMUP_ITERS / solver.MAX_ITER
    if share >= 1.0:  # training ends before the warm-up does
        return LinearParamScheduler(start, start + (full - start) / share)
    warmup = LinearParamScheduler(start, schedule(share))
    return CompositeParamScheduler(
        [warmup, schedule], lengths=[share, 1.0 - share], interval_scaling=["rescaled", "fixed"]
    )


BUILDERS["WarmupMultiStepLR"] = _multi_step
BUILDERS["WarmupCosineLR"] = _cosine
