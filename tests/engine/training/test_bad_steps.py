"""Bad steps: named, counted, and after too many written down."""

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
from tests.engine.one_layer import OneLayer, poisoned_on_rank_1, trainer, with_checkpoints
from tests.tiny import training_batch


class Dumps:
    """Stands in for what writes a step down."""

    def __init__(self) -> None:
        self.given: list[tuple[int, Step, dict[str, Any]]] = []

    def __call__(self, iteration: int, step: Step, states: dict[str, Any]) -> Path:
        self.given.append((iteration, step, states))
        return Path("dump.pth")


def guarded(made: Trainer, limit: int = 3) -> tuple[Trainer, BadSteps, Dumps]:
    dumps = Dumps()
    guard = BadSteps(limit, dumps)
    made.hooks.insert(0, guard)
    return made, guard, dumps


def test_bad_steps_are_told_with_their_images_and_training_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    made, guard, dumps = guarded(trainer(max_iter=8, poisoned=(1, 2, 4, 5)))
    with caplog.at_level(logging.WARNING):
        made.train()
    assert made.iteration == 8
    assert guard.counts() == {"bad_steps": 4, "overflows": 0}
    assert caplog.messages[0] == (
        "Step 2 was not finite (loss_fit nan, loss_fit_0 nan) on images 10 (1_0.jpg), 11 (1_1.jpg); the step "
        "was skipped (1 in a row)."
    )
    assert [message[-12:] for message in caplog.messages] == [f"{n} in a row)." for n in (1, 2, 1, 2)]
    assert dumps.given == []


def test_too_many_in_a_row_end_training_with_a_dump_and_a_checkpoint(tmp_path: Path) -> None:
    made, _, dumps = guarded(with_checkpoints(trainer(poisoned=(4, 5, 6)), tmp_path, period=2))
    with pytest.raises(
        FrozenSegError,
        match=r"Step 7 was not finite .* on images 60 \(6_0\.jpg\), 61 \(6_1\.jpg\), like the 2 steps before it "
        r"\(SOLVER.MAX_BAD_STEPS 3\): .*replay_step.py dump.pth', .* continue from .*model_0000006\.pth",
    ):
        made.train()
    [(iteration, step, states)] = dumps.given
    assert (iteration, step.status) == (7, StepStatus.BAD)
    assert {"python", "numpy", "torch"} <= states.keys()
    assert torch.isfinite(made.model.layer.weight).all()
    assert made.last_checkpoint == tmp_path / "model_0000007.pth"  # the images that failed lie behind it


def test_an_overflow_is_counted_and_forgotten() -> None:
    made, guard, _ = guarded(trainer(max_iter=3))
    made.precision = made.precision._replace(scaler=torch.amp.GradScaler("cpu", init_scale=3e38))
    made.train()
    assert guard.counts() == {"bad_steps": 0, "overflows": 3}


def test_a_gradient_alone_can_be_bad() -> None:
    made, _, _ = guarded(trainer(), limit=1)
    made.clip = lambda _: torch.tensor(float("inf"))
    with pytest.raises(FrozenSegError, match=r"\(all losses are finite, the gradient norm is inf\) .*from the start"):
        made.train()


def step_of(batch: list[dict[str, Any]]) -> Step:
    losses = {"loss_ce": torch.tensor(float("nan"))}
    return Step(StepStatus.BAD, batch, losses, float("nan"), 0.1, float("nan"), 0.0, 0.0)


def test_a_dump_holds_the_batch_and_is_read_without_running_anything(tmp_path: Path) -> None:
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


def test_a_dump_that_finds_no_room(tmp_path: Path) -> None:
    (tmp_path / "bad_steps").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot be written"):
        StepDump(tmp_path, OneLayer(), "")(1, step_of([]), {})


def test_all_processes_leave_out_the_same_steps(tmp_path: Path) -> None:
    assert launch(poisoned_on_rank_1, (str(tmp_path),), Processes(per_machine=2)) == 0
    (one, weights), (other, same_weights) = (json.loads((tmp_path / f"rank{rank}").read_text()) for rank in (0, 1))
    assert one[:-1] == other[:-1] == ["good", "good", "bad", "good", "bad"]
    assert weights == same_weights
    for rank, sentence in enumerate((one[-1], other[-1])):
        assert "Step 6 was not finite (loss_fit nan, loss_fit_0 nan) on images 50 (5_0.jpg), 51 (5_1.jpg)" in sentence
        assert f"rank{rank}.pth" in sentence
