"""Checkpoints: exact resumption, atomic writing, and the message for every mistake."""

import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from frozenseg.engine.checkpoints import checkpoint as module
from frozenseg.engine.checkpoints.checkpoint import changed_keys, read_training_checkpoint, write_checkpoint
from frozenseg.engine.training.hooks import SaveCheckpoints
from frozenseg.engine.training.trainer import Hook, Step, Trainer
from frozenseg.errors import CheckpointError
from frozenseg.modeling.load_weights import load_trained
from tests.engine.one_layer import OneLayer, adamw, build_checkpointer, build_trainer, recorder_of, with_checkpoints


def resumed(folder: Path, path: Path, max_iter: int = 10) -> Trainer:
    """Build a trainer from other weights and another random state, then resume."""
    checkpoint = read_training_checkpoint(path)
    trainer = build_trainer(max_iter, start=checkpoint["trainer"]["iteration"], seed=99)
    load_trained(trainer.model, path)
    writes = build_checkpointer(folder, trainer)
    writes.resume(checkpoint, path)
    trainer.hooks.append(SaveCheckpoints(writes, 3))
    return trainer


@pytest.mark.parametrize("iteration", [3, 6, 9])
def test_a_resumed_run_is_the_same_run(tmp_path: Path, iteration: int) -> None:
    unbroken = with_checkpoints(build_trainer(), tmp_path)
    unbroken.train()
    again = resumed(tmp_path / "again", tmp_path / f"model_000000{iteration}.pth")
    (tmp_path / "again").mkdir()
    again.train()
    assert recorder_of(again).losses == recorder_of(unbroken).losses[iteration:]
    assert recorder_of(again).rates == recorder_of(unbroken).rates[iteration:]
    for name, value in unbroken.model.layer.state_dict().items():
        assert torch.equal(again.model.layer.state_dict()[name], value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda state: state["optimizer_state"]["state"][0]["exp_avg"].fill_(float("nan")),
            "NaN or .* 'exp",
        ),
        (lambda state: state.pop("scaler_state"), "lacks the entry 'scaler_state' of its training state"),
        (lambda state: state.update(optimizer_state=3), "has a damaged optimiser state"),
    ],
)
def test_a_damaged_optimiser_state_is_refused(change: Any, message: str, tmp_path: Path) -> None:
    with_checkpoints(build_trainer(max_iter=3), tmp_path).train()
    path = tmp_path / "model_0000003.pth"
    content = read_training_checkpoint(path)
    change(content["trainer"])
    with pytest.raises(CheckpointError, match=rf"model_0000003\.pth.*{message}.*without --resume"):
        build_checkpointer(tmp_path, build_trainer(start=3)).resume(content, path)


def test_a_run_goes_on_with_another_learning_rate_where_the_config_asks_for_it(tmp_path: Path) -> None:
    with_checkpoints(build_trainer(max_iter=3), tmp_path).train()
    trainer = build_trainer(start=3)
    trainer.optimizer.param_groups[0].update(initial_lr=1e-4, weight_decay=0.5)
    build_checkpointer(tmp_path, trainer).resume(read_training_checkpoint(tmp_path / "model_0000003.pth"), tmp_path)
    group = trainer.optimizer.param_groups[0]
    assert (group["initial_lr"], group["weight_decay"]) == (1e-4, 0.5)


def test_an_error_between_steps_saves_a_run_that_goes_on_the_same(tmp_path: Path) -> None:
    class Fails(Hook):
        """Fails after the fourth step."""

        def after_step(self, trainer: Trainer, step: Step) -> None:
            if trainer.iteration == 4:
                raise OSError("no room")

    unbroken = build_trainer()
    unbroken.train()
    broken = with_checkpoints(build_trainer(), tmp_path, period=100)
    broken.hooks.append(Fails())
    with pytest.raises(OSError, match="no room"):
        broken.train()
    again = resumed(tmp_path, tmp_path / "model_0000004.pth")
    again.train()
    assert recorder_of(again).losses == recorder_of(unbroken).losses[4:]


def test_content(tmp_path: Path) -> None:
    with_checkpoints(build_trainer(max_iter=3), tmp_path).train()
    final = torch.load(tmp_path / "model_final.pth", weights_only=True)
    assert sorted(final["model"]) == ["layer.bias", "layer.weight"]  # nothing frozen
    assert final["frozen"] == {"frozen": "0123"}
    assert final["vocabulary"] == ["cat,kitten", "sky"]
    assert final["isthing"] == [True, False]
    assert final["config"] == "SEED: 7\n"
    assert "trainer" not in final
    training = torch.load(tmp_path / "model_0000003.pth", weights_only=True)
    assert training["trainer"]["iteration"] == 3
    assert training["trainer"]["seed"] == 7
    assert len(training["trainer"]["random_states"]) == 1


def test_trained_weights_alone_cannot_be_resumed(tmp_path: Path) -> None:
    with_checkpoints(build_trainer(max_iter=1), tmp_path).train()
    with pytest.raises(CheckpointError, match=r"model_final\.pth has trained weights only, .* use --weig"):
        read_training_checkpoint(tmp_path / "model_final.pth")


def test_another_optimiser_is_refused(tmp_path: Path) -> None:
    with_checkpoints(build_trainer(max_iter=1), tmp_path).train()
    path = tmp_path / "model_0000001.pth"
    model = OneLayer()
    sgd = Trainer(model, [], torch.optim.SGD(model.layer.parameters(), lr=0.1), steps=range(1))
    with pytest.raises(CheckpointError, match="trained with AdamW, but the config selects SGD"):
        build_checkpointer(tmp_path, sgd).resume(read_training_checkpoint(path), path)
    split = adamw(model)
    split.add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]})
    with pytest.raises(CheckpointError, match="has other parameter groups than the config: resume"):
        build_checkpointer(tmp_path, Trainer(model, [], split, steps=range(1))).resume(
            read_training_checkpoint(path), path
        )


def test_another_number_of_processes_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with_checkpoints(build_trainer(max_iter=1), tmp_path).train()
    path = tmp_path / "model_0000001.pth"
    checkpoint = read_training_checkpoint(path)
    checkpoint["trainer"]["random_states"] *= 2
    with caplog.at_level(logging.WARNING):
        build_checkpointer(tmp_path, build_trainer()).resume(checkpoint, path)
    assert "The run had 2 processes and has 1 now" in caplog.text


def test_a_failed_writing_leaves_the_file_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "model.pth"
    write_checkpoint(path, {"model": {"a": torch.ones(1)}})
    before = path.read_bytes()

    def full_disk(content: object, file: Path) -> None:
        file.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(module.torch, "save", full_disk)
    with pytest.raises(CheckpointError, match=r"model\.pth cannot be written \(No space left on device\): free some"):
        write_checkpoint(path, {"model": {}})
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["model.pth"]


def test_changed_keys() -> None:
    before = "OUTPUT_DIR: a\nSOLVER:\n  BASE_LR: 0.1\n  STEPS: [1, 2]\n  AMP:\n    ENABLED: true\n"
    now = "OUTPUT_DIR: b\nSOLVER:\n  BASE_LR: 0.2\n  STEPS: [1, 2]\n  AMP:\n    ENABLED: false\n  NEW: 1\n"
    assert changed_keys(before, now) == ["SOLVER.AMP.ENABLED", "SOLVER.BASE_LR", "SOLVER.NEW"]
    assert changed_keys(before, before) == []
