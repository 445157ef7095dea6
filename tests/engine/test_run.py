"""What a run refuses by its config alone; whole runs are in ``tests/tools/test_train_net.py``."""

import logging
from pathlib import Path

import pytest
import torch
from torch import nn

from frozenseg.config import CfgNode
from frozenseg.engine import run as module
from frozenseg.engine.run import check
from frozenseg.errors import CheckpointError, ConfigError


def test_a_run_needs_data_sets(cfg: CfgNode) -> None:
    with pytest.raises(ConfigError, match="DATASETS.TRAIN is empty"):
        check(cfg, eval_only=False)
    cfg.DATASETS.TRAIN = ["toyworld_train"]
    check(cfg, eval_only=False)  # training without evaluation is fine
    with pytest.raises(ConfigError, match="DATASETS.TEST is empty"):
        check(cfg, eval_only=True)


def test_weights_must_exist(tmp_path: Path, cfg: CfgNode) -> None:
    cfg.DATASETS.TRAIN = ["toyworld_train"]
    cfg.MODEL.WEIGHTS = str(tmp_path / "model.pth")
    with pytest.raises(CheckpointError, match=r"There is no checkpoint .*model\.pth; give --weights"):
        check(cfg, eval_only=False)
    (tmp_path / "model.pth").write_bytes(b"")
    check(cfg, eval_only=False)  # what is in it is seen when it is read


def test_a_single_process_is_not_wrapped() -> None:
    model = nn.Linear(1, 1)
    assert module._parallel(model, torch.device("cpu")) is model


def test_the_plan_is_told(cfg: CfgNode, caplog: pytest.LogCaptureFixture) -> None:
    cfg.DATASETS.TRAIN = ["toyworld_train"]
    model = nn.Linear(1000, 1000, bias=False)
    model.frozen = nn.Linear(1000, 3000, bias=False).requires_grad_(False)
    with caplog.at_level(logging.INFO):
        module._tell_plan(cfg, model, done=5)
    assert caplog.messages == [
        "Linear: 1.00 of 4.00 million parameters are trained on toyworld_train; steps 6 to 368750, batch 16, "
        "processes 1, learning rate 0.0001, WarmupMultiStepLR."
    ]
