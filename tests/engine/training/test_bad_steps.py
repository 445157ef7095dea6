"""Bad steps: warned of, counted, and dumped after too many in a row."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
import torch

from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.engine.training.bad_steps import BadSteps, StepDump, batch_of
from frozenseg.engine.training.trainer import Step, StepStatus, Trainer
from frozenseg.errors import CheckpointError, FrozenSegError
from frozenseg.modeling.checkpoint_file import read_checkpoint
from tests.engine.one_layer import OneLayer, build_trainer, poisoned_on_rank_1, with_checkpoints
from tests.tiny import training_batch


class Dumps:
    """Stand-in for StepDump."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, Step, dict[str, Any]]] = []

    def __call__(self, iteration: int, step: Step, states: dict[str, Any]) -> Path:
        self.calls.append((iteration, step, states))
        return Path("dump.pth")


def with_bad_steps(trainer: Trainer, limit: int = 3) -> tuple[Trainer, BadSteps, Dumps]:
    dumps = Dumps()
    bad_steps = BadSteps(limit, dumps)
    trainer.hooks.insert(0, bad_steps)
    return trainer, bad_steps, dumps


def test_bad_steps_are_logged_with_their_images_and_training_continues(caplog: pytest.LogCaptureFixture) -> None:
    trainer, bad_steps, dumps = with_bad_steps(build_trainer(max_iter=8, poisoned=(1, 2, 4, 5)))
    with caplog.at_level(logging.WARNING):
        trainer.train()
    assert trainer.iteration == 8
    assert bad_steps.counts() == {"bad_steps": 4, "overflows": 0}
    assert caplog.messages[0] == (
        "Step 2 was not finite (loss_fit nan, loss_fit_0 nan) on images 10 (1_0.jpg), 11 (1_1.jpg); the step "
        "was skipped (1 in a row)."
    )
    assert [message[-12:] for message in caplog.messages] == [f"{n} in a row)." for n in (1, 2, 1, 2)]
    assert dumps.calls == []


def test_too_many_in_a_row_end_training_with_a_dump_and_a_checkpoint(tmp_path: Path) -> None:
    trainer, _, dumps = with_bad_steps(with_checkpoints(build_trainer(poisoned=(4, 5, 6)), tmp_path, period=2))
    with pytest.raises(
        FrozenSegError,
        match=r"Step 7 was not finite .* on images 60 \(6_0\.jpg\), 61 \(6_1\.jpg\), like the 2 steps before it "
        r"\(SOLVER.MAX_BAD_STEPS 3\): .*replay_step.py dump.pth', .* continue from .*model_0000006\.pth",
    ):
        trainer.train()
    [(iteration, step, states)] = dumps.calls
    assert (iteration, step.status) == (7, StepStatus.BAD)
    assert {"python", "numpy", "torch"} <= states.keys()
    assert torch.isfinite(trainer.model.layer.weight).all()
    assert trainer.last_checkpoint == tmp_path / "model_0000007.pth"  # a resumed run does not repeat the bad steps


def test_an_overflow_is_only_counted() -> None:
    trainer, bad_steps, _ = with_bad_steps(build_trainer(max_iter=3))
    trainer.precision = trainer.precision._replace(scaler=torch.amp.GradScaler("cpu", init_scale=3e38))
    trainer.train()
    assert bad_steps.counts() == {"bad_steps": 0, "overflows": 3}


def test_a_gradient_alone_can_be_bad() -> None:
    trainer, _, _ = with_bad_steps(build_trainer(), limit=1)
    trainer.clip = lambda _: torch.tensor(float("inf"))
    with pytest.raises(FrozenSegError, match=r"\(all losses are finite, the gradient norm is inf\) .*from the start"):
        trainer.train()


def step_of(batch: list[dict[str, Any]]) -> Step:
    losses = {"loss_ce": torch.tensor(float("nan"))}
    return Step(StepStatus.BAD, batch, losses, float("nan"), 0.1, float("nan"), 0.0, 0.0)


def test_a_dump_holds_the_batch_and_is_read_without_executing_code(tmp_path: Path) -> None:
    [element, _] = training_batch(seed=3)
    element |= {"image_id": 7, "file_name": "7.jpg", "seed": 5, "segments_info": [{"id": 1}]}
    path = StepDump(tmp_path, OneLayer(), "SEED: 7\n")(12, step_of([element]), {"torch": torch.get_rng_state()})
    assert path == tmp_path / "bad_steps" / "step_0000012_rank0.pth"
    content = read_checkpoint(path)
    assert content["config"] == "SEED: 7\n"
    assert sorted(content["model"]) == ["layer.bias", "layer.weight"]
    assert content["bad_step"]["iteration"] == 12
    [again] = batch_of(content["bad_step"])
    assert torch.equal(again["image"], element["image"])
    assert (again["image_id"], again["file_name"], again["seed"]) == (7, "7.jpg", 5)
    assert torch.equal(again["instances"].gt_masks, element["instances"].gt_masks)
    assert again["instances"].image_size == (64, 64)
    assert [path.name for path in path.parent.iterdir()] == [path.name]


def test_a_dump_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "bad_steps").write_text("a file instead of a folder")
    with pytest.raises(CheckpointError, match="cannot be written"):
        StepDump(tmp_path, OneLayer(), "")(1, step_of([]), {})


def test_all_processes_skip_the_same_steps(tmp_path: Path) -> None:
    assert launch(poisoned_on_rank_1, (str(tmp_path),), Processes(per_machine=2)) == 0
    (one, weights), (other, same_weights) = (json.loads((tmp_path / f"rank{rank}").read_text()) for rank in (0, 1))
    assert one[:-1] == other[:-1] == ["good", "good", "bad", "good", "bad"]
    assert weights == same_weights
    for rank, sentence in enumerate((one[-1], other[-1])):
        assert "Step 6 was not finite (loss_fit nan, loss_fit_0 nan) on images 50 (5_0.jpg), 51 (5_1.jpg)" in sentence
        assert f"rank{rank}.pth" in sentence
