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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["MODEL.META_ARCHITECTURE", "FrozenSegg"], "Unknown meta-architecture 'FrozenSegg'. Did you mean 'FrozenSeg'"),
        (["MODEL.SEM_SEG_HEAD.PIXEL_DECODER_NAME", "FPN"], "Unknown pixel decoder 'FPN'"),
        (["MODEL.MASK_FORMER.TRANSFORMER_DECODER_NAME", "MultiScaleDecoder"], "Unknown transformer decoder"),
    ],
)
def test_unknown_parts_of_the_model_are_refused_before_it_is_built(
    options: list[str], message: str, cfg: CfgNode
) -> None:
    cfg.merge_from_list(["DATASETS.TRAIN", ["toyworld_train"], *options])
    with pytest.raises(ConfigError, match=message):
        check(cfg, eval_only=False)


@pytest.mark.parametrize("key", ["MODEL.TEXT_CACHE_DIR", "TEST.SAM_MASK_CACHE"])
def test_a_file_in_the_way_of_a_cache_folder(key: str, cfg: CfgNode, tmp_path: Path) -> None:
    (tmp_path / "taken").write_bytes(b"")
    cfg.merge_from_list(["DATASETS.TRAIN", ["toyworld_train"], key, str(tmp_path / "taken/cache")])
    with pytest.raises(ConfigError, match=rf"{key} is '.*/cache', which cannot be a folder \(.*/taken is a file\)"):
        check(cfg, eval_only=False)


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
