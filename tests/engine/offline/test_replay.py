"""Replay of a bad step: the first module with non-finite values is named."""

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor

from frozenseg.engine.checkpoints.random_states import random_states
from frozenseg.engine.offline.replay import replay
from frozenseg.engine.training.bad_steps import StepDump
from frozenseg.engine.training.trainer import Trainer
from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import write_checkpoint
from frozenseg.modeling.layers.mlp import MLP
from frozenseg.modeling.load_weights import checkpoint_content
from frozenseg.modeling.meta_arch.base import MaskClassifier
from tests.engine.one_layer import Recorder
from tests.tiny import TRAINING, tiny_config, training_batch
from tools.replay_step import main

CONFIG = tiny_config("FCCLIP", "MODEL.DEVICE", "cpu")


def build() -> MaskClassifier:
    torch.manual_seed(0)
    return build_model(CONFIG, TRAINING).train()


def dump(model: MaskClassifier, folder: Path) -> Path:
    states = random_states()
    optimizer, recorder = torch.optim.SGD(model.sem_seg_head.parameters(), 0.0), Recorder()
    Trainer(model, [training_batch()], optimizer, steps=range(1), hooks=[recorder]).train()
    return StepDump(folder, model, CONFIG.dump())(5, recorder.steps[0], states)


def test_a_finite_step_is_finite_again(tmp_path: Path) -> None:
    result = replay(dump(build(), tmp_path))
    assert result.finite
    assert result.iteration == 5
    assert result.losses == result.losses_before


def test_a_non_finite_weight_and_its_module_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = build()
    model.sem_seg_head.predictor.mask_embed.layers[1].bias.data[0] = float("nan")
    assert main([str(dump(model, tmp_path))]) == 0
    printed = capsys.readouterr().out
    assert "first weight that is not finite: sem_seg_head.predictor.mask_embed.layers.1.bias" in printed
    assert re.search(r"output is not finite: sem_seg_head\.predictor\.mask_embed\.layers\.1 \(its inputs are", printed)
    assert re.search(r"loss_mask +nan +nan\n", printed)


def test_a_module_with_a_non_finite_output_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = MLP.forward
    monkeypatch.setattr(MLP, "forward", lambda self, x: forward(self, x) * 1e38 * 1e3)
    result = replay(dump(build(), tmp_path))
    assert result.weights == ""
    assert result.output in ("sem_seg_head.predictor.mask_embed", "sem_seg_head.predictor.class_embed")
    assert result.inputs_finite


class Kinked(torch.autograd.Function):
    """Identity with a NaN gradient."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        return gradient * float("nan")


def test_a_non_finite_gradient_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = MLP.forward
    monkeypatch.setattr(MLP, "forward", lambda self, x: Kinked.apply(forward(self, x)))
    result = replay(dump(build(), tmp_path))
    assert (result.weights, result.output) == ("", "")
    assert re.fullmatch(r"sem_seg_head\.predictor\.(mask|class)_embed\.layers\.2", result.gradient)


def test_a_step_can_be_replayed_with_other_options(tmp_path: Path) -> None:
    result = replay(dump(build(), tmp_path), ["SOLVER.AMP.DTYPE", "bfloat16"])
    assert result.precision.startswith("bfloat16")
    assert result.losses != result.losses_before


def test_other_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = build()
    write_checkpoint(tmp_path / "model.pth", checkpoint_content(model, model.frozen_hashes(), CONFIG.dump()))
    assert main([str(tmp_path / "model.pth")]) == 2
    assert "is no dump of a training step: give a file in the folder bad_steps" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        replay(tmp_path / "nothing.pth")


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "SOLVER.AMP.ENABLED False" in capsys.readouterr().out
