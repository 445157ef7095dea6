"""A bad step from its dump: the part of the model where it began is named."""

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


def model() -> MaskClassifier:
    torch.manual_seed(0)
    return build_model(CONFIG, TRAINING).train()


def dump(made: MaskClassifier, folder: Path) -> Path:
    states = random_states()
    optimizer, kept = torch.optim.SGD(made.sem_seg_head.parameters(), 0.0), Recorder()
    Trainer(made, [training_batch()], optimizer, steps=range(1), hooks=[kept]).train()
    return StepDump(folder, made, CONFIG.dump())(5, kept.steps[0], states)


def test_a_step_that_was_finite_is_so_again(tmp_path: Path) -> None:
    found = replay(dump(model(), tmp_path))
    assert found.finite
    assert found.iteration == 5
    assert found.losses == found.losses_before


def test_a_weight_that_is_not_finite_and_the_module_that_shows_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = model()
    made.sem_seg_head.predictor.mask_embed.layers[1].bias.data[0] = float("nan")
    assert main([str(dump(made, tmp_path))]) == 0
    told = capsys.readouterr().out
    assert "first weight that is not finite: sem_seg_head.predictor.mask_embed.layers.1.bias" in told
    assert re.search(r"output is not finite: sem_seg_head\.predictor\.mask_embed\.layers\.1 \(its inputs are", told)
    assert re.search(r"loss_mask +nan +nan\n", told)


def test_a_module_that_blows_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = MLP.forward
    monkeypatch.setattr(MLP, "forward", lambda self, x: forward(self, x) * 1e38 * 1e3)
    found = replay(dump(model(), tmp_path))
    assert found.weights == ""
    assert found.output in ("sem_seg_head.predictor.mask_embed", "sem_seg_head.predictor.class_embed")
    assert found.inputs_finite


class Kinked(torch.autograd.Function):
    """The identity, whose gradient is NaN."""

    @staticmethod
    def forward(context: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(context: object, gradient: Tensor) -> Tensor:
        return gradient * float("nan")


def test_a_gradient_that_blows_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forward = MLP.forward
    monkeypatch.setattr(MLP, "forward", lambda self, x: Kinked.apply(forward(self, x)))
    found = replay(dump(model(), tmp_path))
    assert (found.weights, found.output) == ("", "")
    assert re.fullmatch(r"sem_seg_head\.predictor\.(mask|class)_embed\.layers\.2", found.gradient)


def test_it_can_be_tried_in_other_numbers(tmp_path: Path) -> None:
    found = replay(dump(model(), tmp_path), ["SOLVER.AMP.DTYPE", "bfloat16"])
    assert found.precision.startswith("bfloat16")
    assert found.losses != found.losses_before


def test_other_files_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made = model()
    write_checkpoint(tmp_path / "model.pth", checkpoint_content(made, made.frozen_hashes(), CONFIG.dump()))
    assert main([str(tmp_path / "model.pth")]) == 2
    assert "is no dump of a training step: give a file in the folder bad_steps" in capsys.readouterr().err
    with pytest.raises(CheckpointError, match="There is no checkpoint"):
        replay(tmp_path / "nothing.pth")


def test_help_teaches(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    assert "SOLVER.AMP.ENABLED False" in capsys.readouterr().out
