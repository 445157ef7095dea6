"""Checks of a run by its config, and its plan in the log; whole runs are in ``tests/tools/test_train_net.py``."""

import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from torch import nn

from frozenseg.config import CfgNode
from frozenseg.engine import run as module
from frozenseg.engine.run import check
from frozenseg.errors import CheckpointError, ConfigError


def test_a_run_needs_data_sets(cfg: CfgNode) -> None:
    with pytest.raises(ConfigError, match="DATASETS.TRAIN is empty"):
        check(cfg, eval_only=False)
    cfg.DATASETS.TRAIN = ["toyworld_train"]
    check(cfg, eval_only=False)  # training without evaluation is allowed
    with pytest.raises(ConfigError, match="DATASETS.TEST is empty"):
        check(cfg, eval_only=True)


def test_weights_must_exist(tmp_path: Path, cfg: CfgNode) -> None:
    cfg.DATASETS.TRAIN = ["toyworld_train"]
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*model\.pth; give --weights"):
        check(cfg, eval_only=False)
    (tmp_path / "model.pth").write_bytes(b"")
    check(cfg, eval_only=False)  # the content is checked when the file is read


def test_the_plan_is_logged(cfg: CfgNode, caplog: pytest.LogCaptureFixture) -> None:
    cfg.DATASETS.TRAIN = ["toyworld_train"]
    cfg.SOLVER.IMAGES_AT_ONCE = 4
    model = nn.Linear(1000, 1000, bias=False)
    model.frozen = nn.Linear(1000, 3000, bias=False).requires_grad_(False)
    training: Any = SimpleNamespace(cfg=cfg, model=model, loader=SimpleNamespace(num_images=118287), start_iteration=5)
    with caplog.at_level(logging.INFO):
        module._log_plan(training)
    assert caplog.messages == [
        "Linear: 1.00 of 4.00 million parameters are trained on toyworld_train (118287 images).",
        "Images a step: 16 = processes 1 × images at once 4 × 4 parts whose gradients are summed.",
        "Steps 6 to 368750 (49.9 epochs), learning rate 0.0001, 10 steps of warm-up, then times 0.1 after steps "
        "327778 (epoch 44.3), 355092 (epoch 48.0).",
    ]
