"""Parts of a training run: the order of its hooks, and the state that it resumes from."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn

from frozenseg.config import CfgNode
from frozenseg.engine import training_run as module
from frozenseg.engine.training.hooks import Evaluate, LogMetrics, SaveCheckpoints
from frozenseg.engine.training.trainer import Hook, Step, StepStatus
from frozenseg.engine.training_run import HOOK_ORDER, TrainingRun, run_hooks
from tests.engine.one_layer import build_checkpointer, build_trainer


@pytest.fixture(autouse=True)
def _no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "build_metric_writers", lambda cfg, folder, start_iteration: [])


def training_run(cfg: CfgNode, folder: Path, benchmarks: tuple[Any, ...] = ()) -> TrainingRun:
    """Return a run of the one-layer model, with stand-ins for data and criterion."""
    trainer = build_trainer(max_iter=3)
    trainer.model.device = torch.device("cpu")
    trainer.model.criterion = nn.Module()
    trainer.model.criterion.statistics = SimpleNamespace(take=lambda: {"matched_iou": 0.5})
    parts: Any = {
        "cfg": cfg,
        "model": trainer.model,
        "loader": SimpleNamespace(num_skipped=2),
        "optimizer": trainer.optimizer,
        "schedule": None,
        "clip": trainer.clip,
        "precision": trainer.precision,
        "benchmarks": benchmarks,
        "expected": (),
        "checkpointer": build_checkpointer(folder, trainer),
    }
    return TrainingRun(**parts)


def names(hooks: list[Hook]) -> list[str]:
    return [type(hook).__name__ for hook in hooks]


def hook(hooks: list[Hook], kind: type[Hook]) -> Any:
    return next(hook for hook in hooks if isinstance(hook, kind))


def test_hooks_are_called_in_the_order_of_the_table(cfg: CfgNode, tmp_path: Path) -> None:
    assert names(run_hooks(training_run(cfg, tmp_path, ("benchmark",)))) == [
        "SetLearningRate",
        "BadSteps",  # its counts are logged, and its error comes before the checkpoint of a bad step
        "StopOnSignal",  # a stopped step is saved, and not evaluated
        "LogMetrics",  # the line of a step is there before its checkpoint
        "SaveCheckpoints",  # the checkpoint is there before its evaluation
        "Evaluate",
        "DrawPreview",
        "ProgressBar",
    ]
    assert [kind.__name__ for kind in HOOK_ORDER] == names(run_hooks(training_run(cfg, tmp_path, ("benchmark",))))


def test_without_benchmarks_nothing_is_evaluated_and_drawn(cfg: CfgNode, tmp_path: Path) -> None:
    hooks = run_hooks(training_run(cfg, tmp_path))
    assert names(hooks) == [
        "SetLearningRate", "BadSteps", "StopOnSignal", "LogMetrics", "SaveCheckpoints", "ProgressBar",
    ]  # fmt: skip
    assert hook(hooks, SaveCheckpoints).periods == (cfg.SOLVER.CHECKPOINT_PERIOD,)


def test_a_drawing_period_of_zero_draws_nothing(cfg: CfgNode, tmp_path: Path) -> None:
    cfg.LOG_PICTURE_PERIOD = 0
    hooks = run_hooks(training_run(cfg, tmp_path, ("benchmark",)))
    assert "DrawPreview" not in names(hooks)
    assert hook(hooks, SaveCheckpoints).periods == (cfg.SOLVER.CHECKPOINT_PERIOD, cfg.TEST.EVAL_PERIOD)


def test_an_evaluation_is_logged_and_recorded_for_the_checkpoint(
    cfg: CfgNode, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = {"pets": {"sem_seg": {"mIoU": 12.5}}}
    monkeypatch.setattr(module, "evaluate", lambda *arguments: results)
    run = training_run(cfg, tmp_path, ("benchmark",))
    hooks = run_hooks(run)
    written: list[tuple[int, dict[str, float]]] = []
    hook(hooks, LogMetrics).writers = [SimpleNamespace(write=lambda *line: written.append(line), close=lambda: None)]
    run.checkpointer.save(3)
    assert hook(hooks, Evaluate).evaluate(3) == results
    assert written == [(3, {"pets/sem_seg/mIoU": 12.5})]
    assert '"pets/sem_seg/mIoU": 12.5' in (tmp_path / "checkpoints.json").read_text()


def test_log_lines_have_the_statistics_and_counts(cfg: CfgNode, tmp_path: Path) -> None:
    hooks = run_hooks(training_run(cfg, tmp_path))
    trainer = build_trainer(max_iter=3)
    trainer.states = {}
    bad = Step(StepStatus.BAD, [], {"loss": torch.tensor(float("nan"))}, float("nan"), 0.1, 0.0, 0.0, 0.0)
    hooks[1].after_step(trainer, bad)
    extra = {"matched_iou": 0.5, "bad_steps": 1, "overflows": 0, "bad_images": 2}
    assert hook(hooks, LogMetrics).extra() == extra


def test_a_fresh_run_and_a_resumed_one(cfg: CfgNode, tmp_path: Path) -> None:
    cfg.SOLVER.MAX_ITER = 4
    run = training_run(cfg, tmp_path)
    assert (run.start_iteration, run.is_resumed, run.is_complete) == (0, False, False)
    run.checkpointer.last, run.checkpointer.resumed_at = tmp_path / "model_0000004.pth", 4
    assert (run.start_iteration, run.is_resumed, run.is_complete) == (4, True, True)
