"""Hooks, one by one, on the one-layer model."""

from itertools import islice
from pathlib import Path

import pytest
import torch
from PIL import Image

from frozenseg.engine.checkpoints.checkpoint import read_training_checkpoint
from frozenseg.engine.training.hooks import DrawPreview, Evaluate, LogMetrics, ProgressBar, SaveCheckpoints
from frozenseg.engine.training.trainer import Hook, Trainer, is_due
from frozenseg.engine.training.writers import Scalars
from frozenseg.evaluation.types import TaskResults
from tests.engine.one_layer import Noise, build_checkpointer, build_trainer, recorder_of, with_checkpoints

CPU = torch.device("cpu")


class MemoryWriter:
    """Writer that keeps scalars and image sizes in memory."""

    def __init__(self) -> None:
        self.lines: dict[int, Scalars] = {}
        self.images: list[tuple[int, tuple[int, int]]] = []
        self.closed = False

    def write(self, iteration: int, scalars: Scalars) -> None:
        self.lines[iteration] = {**self.lines.get(iteration, {}), **scalars}

    def show(self, iteration: int, image: Image.Image) -> None:
        self.images.append((iteration, image.size))

    def close(self) -> None:
        self.closed = True


def test_is_due() -> None:
    trainer = build_trainer(max_iter=7)
    due = []
    for trainer.iteration in range(1, 8):
        due.append((is_due(trainer, 3), is_due(trainer, 0)))
    assert [iteration for iteration, (three, _) in enumerate(due, 1) if three] == [3, 6, 7]
    assert [iteration for iteration, (_, zero) in enumerate(due, 1) if zero] == [7]


def test_schedule_sets_the_rate_of_each_step() -> None:
    trainer = build_trainer(max_iter=3)
    trainer.train()
    assert recorder_of(trainer).rates == pytest.approx([0.1, 0.05, 0.025])


def test_checkpoints_are_written_when_due_and_at_the_end(tmp_path: Path) -> None:
    trainer = with_checkpoints(build_trainer(max_iter=5), tmp_path, period=2)
    trainer.train()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "checkpoints.json",
        "last_checkpoint",
        *(f"model_000000{i}.pth" for i in (2, 4, 5)),
        "model_final.pth",
    ]
    assert trainer.last_checkpoint == tmp_path / "model_0000005.pth"


def test_evaluation_does_not_change_the_losses() -> None:
    called: list[int] = []

    def evaluate(iteration: int) -> dict[str, TaskResults]:
        called.append(iteration)
        torch.rand(5)
        return {"set": {"sem_seg": {"mIoU": float(iteration)}}}

    plain = build_trainer(max_iter=6)
    plain.train()
    hook = Evaluate(evaluate, period=4)
    evaluating = with_hooks(build_trainer(max_iter=6), hook)
    evaluating.train()
    assert called == [4, 6]
    assert hook.results == {"set": {"sem_seg": {"mIoU": 6.0}}}  # of the last evaluation
    assert recorder_of(evaluating).losses == recorder_of(plain).losses


@pytest.mark.parametrize(("missed", "expected"), [(True, [4, 6]), (False, [6])])
def test_an_evaluation_that_the_resumed_run_missed_comes_first(missed: bool, expected: list[int]) -> None:
    called: list[int] = []
    with_hooks(build_trainer(max_iter=6, start=4), Evaluate(called.append, period=4, missed=missed)).train()
    assert called == expected


def with_hooks(trainer: Trainer, *hooks: Hook) -> Trainer:
    trainer.hooks += hooks
    return trainer


def test_log_lines() -> None:
    writer = MemoryWriter()
    log = LogMetrics([writer], CPU, period=3)
    evaluate = Evaluate(lambda iteration: log.write(iteration, {"set/sem_seg/mIoU": 50.0}), period=5)
    trainer = with_hooks(build_trainer(max_iter=8), log, evaluate)
    trainer.train()
    assert list(writer.lines) == [1, 3, 5, 6, 8]  # the first, every third, the last, and those with results only
    assert writer.closed
    line = writer.lines[3]
    assert line["total_loss"] == pytest.approx(recorder_of(trainer).losses[2])
    assert line["loss_fit"] == pytest.approx(line["total_loss"])  # the losses of both layers are of one kind
    assert line["lr"] == pytest.approx(0.025)
    assert {"grad_norm", "data_time", "time", "memory"} <= line.keys()
    assert [i for i, line in writer.lines.items() if "set/sem_seg/mIoU" in line] == [5, 8]


def fail(_: object) -> torch.Tensor:
    raise ValueError("a bug")


def test_writers_are_closed_after_an_error() -> None:
    writer = MemoryWriter()
    trainer = with_hooks(build_trainer(), LogMetrics([writer], CPU))
    trainer.clip = fail
    with pytest.raises(ValueError, match="a bug"):
        trainer.train()
    assert writer.closed


def test_progress_bar_shows_loss_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    with_hooks(build_trainer(max_iter=4, start=1), ProgressBar(CPU, quiet=False)).train()
    printed = capsys.readouterr().err
    assert "4/4" in printed
    assert "loss " in printed
    assert "data 0." in printed
    assert "MiB" in printed


def test_a_quiet_progress_bar_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with_hooks(build_trainer(max_iter=2), ProgressBar(CPU, quiet=True)).train()
    assert capsys.readouterr().err == ""


def test_a_checkpointer_of_a_fresh_run_leaves_the_generators_unchanged(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    writes = build_checkpointer(tmp_path, build_trainer())
    torch.set_rng_state(state)
    writes.restore_random_states()
    assert torch.equal(torch.rand(1), expected)


def test_previews_are_drawn_when_due_and_do_not_change_the_losses(tmp_path: Path) -> None:
    def draw() -> Image.Image:
        torch.rand(3)
        return Image.new("RGB", (8, 4))

    writer, plain = MemoryWriter(), build_trainer(max_iter=5)
    plain.train()
    trainer = with_hooks(build_trainer(max_iter=5), DrawPreview(draw, tmp_path, [writer], period=2))
    trainer.train()
    assert recorder_of(trainer).losses == recorder_of(plain).losses
    files = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert files == ["step_0000002.png", "step_0000004.png", "step_0000005.png"]
    assert writer.images == [(2, (8, 4)), (4, (8, 4)), (5, (8, 4))]


def test_steps_before_an_error_are_saved(tmp_path: Path) -> None:
    plain = build_trainer(max_iter=6)
    plain.train()
    trainer = with_checkpoints(build_trainer(max_iter=6), tmp_path, period=2)
    trainer.loader = islice(Noise(), 3)
    with pytest.raises(StopIteration):
        trainer.train()
    assert trainer.last_checkpoint == tmp_path / "model_0000003.pth"
    resumed = with_checkpoints(build_trainer(max_iter=6, start=3, seed=9), tmp_path)
    content = read_training_checkpoint(trainer.last_checkpoint)
    resumed.model.load_state_dict(content["model"], strict=False)
    saves = resumed.hooks[-1]
    assert isinstance(saves, SaveCheckpoints)
    saves.checkpointer.resume(content, trainer.last_checkpoint)
    resumed.train()
    assert recorder_of(resumed).losses == recorder_of(plain).losses[3:]


def test_nothing_is_saved_during_an_update(tmp_path: Path) -> None:
    trainer = with_checkpoints(build_trainer(max_iter=6), tmp_path, period=2)
    trainer.hooks.insert(0, Breaker(trainer))
    with pytest.raises(KeyboardInterrupt):
        trainer.train()
    assert trainer.last_checkpoint == tmp_path / "model_0000002.pth"
    assert not (tmp_path / "model_0000003.pth").exists()


class Breaker(Hook):
    """Interrupts the optimizer in the fourth step."""

    def __init__(self, trainer: Trainer) -> None:
        self.update = trainer.optimizer.step
        trainer.optimizer.step = self.step

    def step(self, *_: object) -> None:
        self.update()
        self.left = getattr(self, "left", 4) - 1
        if self.left == 0:
            raise KeyboardInterrupt
