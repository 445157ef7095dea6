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
from tests.engine.one_layer import Noise, checkpointer, recorder, trainer, with_checkpoints

CPU = torch.device("cpu")


class Kept:
    """A writer that keeps what it gets."""

    def __init__(self) -> None:
        self.lines: dict[int, Scalars] = {}
        self.pictures: list[tuple[int, tuple[int, int]]] = []
        self.closed = False

    def write(self, iteration: int, scalars: Scalars) -> None:
        self.lines[iteration] = {**self.lines.get(iteration, {}), **scalars}

    def show(self, iteration: int, picture: Image.Image) -> None:
        self.pictures.append((iteration, picture.size))

    def close(self) -> None:
        self.closed = True


def test_is_due() -> None:
    made = trainer(max_iter=7)
    due = []
    for made.iteration in range(1, 8):
        due.append((is_due(made, 3), is_due(made, 0)))
    assert [iteration for iteration, (three, _) in enumerate(due, 1) if three] == [3, 6, 7]
    assert [iteration for iteration, (_, zero) in enumerate(due, 1) if zero] == [7]


def test_schedule_sets_the_rate_of_each_step() -> None:
    made = trainer(max_iter=3)
    made.train()
    assert recorder(made).rates == pytest.approx([0.1, 0.05, 0.025])


def test_checkpoints_are_written_when_due_and_at_the_end(tmp_path: Path) -> None:
    made = with_checkpoints(trainer(max_iter=5), tmp_path, period=2)
    made.train()
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [
        "checkpoints.json",
        "last_checkpoint",
        *(f"model_000000{i}.pth" for i in (2, 4, 5)),
        "model_final.pth",
    ]
    assert made.last_checkpoint == tmp_path / "model_0000005.pth"


def test_evaluation_does_not_change_the_losses() -> None:
    called: list[int] = []

    def evaluate(iteration: int) -> dict[str, TaskResults]:
        called.append(iteration)
        torch.rand(5)
        return {"set": {"sem_seg": {"mIoU": float(iteration)}}}

    plain = trainer(max_iter=6)
    plain.train()
    hook = Evaluate(evaluate, period=4)
    evaluating = with_hooks(trainer(max_iter=6), hook)
    evaluating.train()
    assert called == [4, 6]
    assert hook.results == {"set": {"sem_seg": {"mIoU": 6.0}}}  # of the last evaluation
    assert recorder(evaluating).losses == recorder(plain).losses


@pytest.mark.parametrize(("missed", "expected"), [(True, [4, 6]), (False, [6])])
def test_an_evaluation_that_an_earlier_run_has_missed_is_done_first(missed: bool, expected: list[int]) -> None:
    called: list[int] = []
    with_hooks(trainer(max_iter=6, start=4), Evaluate(called.append, period=4, missed=missed)).train()
    assert called == expected


def with_hooks(made: Trainer, *hooks: Hook) -> Trainer:
    made.hooks += hooks
    return made


def test_log_lines() -> None:
    kept = Kept()
    log = LogMetrics([kept], CPU, period=3)
    evaluate = Evaluate(lambda iteration: log.write(iteration, {"set/sem_seg/mIoU": 50.0}), period=5)
    made = with_hooks(trainer(max_iter=8), log, evaluate)
    made.train()
    assert list(kept.lines) == [1, 3, 5, 6, 8]  # the first, each third, the last; and those with results alone
    assert kept.closed
    line = kept.lines[3]
    assert line["total_loss"] == pytest.approx(recorder(made).losses[2])
    assert line["loss_fit"] == pytest.approx(line["total_loss"])  # both layers' losses are of one kind
    assert line["lr"] == pytest.approx(0.025)
    assert {"grad_norm", "data_time", "time", "memory"} <= line.keys()
    assert [i for i, line in kept.lines.items() if "set/sem_seg/mIoU" in line] == [5, 8]


def fail(_: object) -> torch.Tensor:
    raise ValueError("of our own making")


def test_writers_are_closed_after_an_error() -> None:
    kept = Kept()
    made = with_hooks(trainer(), LogMetrics([kept], CPU))
    made.clip = fail
    with pytest.raises(ValueError, match="of our own making"):
        made.train()
    assert kept.closed


def test_progress_bar_tells_loss_and_memory(capsys: pytest.CaptureFixture[str]) -> None:
    with_hooks(trainer(max_iter=4, start=1), ProgressBar(CPU, quiet=False)).train()
    told = capsys.readouterr().err
    assert "4/4" in told
    assert "loss " in told
    assert "data 0." in told
    assert "MiB" in told


def test_a_quiet_progress_bar_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    with_hooks(trainer(max_iter=2), ProgressBar(CPU, quiet=True)).train()
    assert capsys.readouterr().err == ""


def test_checkpointer_without_a_resumed_run_leaves_the_generators_alone(tmp_path: Path) -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    state = torch.get_rng_state()
    writes = checkpointer(tmp_path, trainer())
    torch.set_rng_state(state)
    writes.restore_random_states()
    assert torch.equal(torch.rand(1), expected)


def test_pictures_are_drawn_when_due_and_disturb_nothing(tmp_path: Path) -> None:
    def draw() -> Image.Image:
        torch.rand(3)
        return Image.new("RGB", (8, 4))

    kept, plain = Kept(), trainer(max_iter=5)
    plain.train()
    made = with_hooks(trainer(max_iter=5), DrawPreview(draw, tmp_path, [kept], period=2))
    made.train()
    assert recorder(made).losses == recorder(plain).losses
    files = sorted(path.name for path in (tmp_path / "pictures").iterdir())
    assert files == ["step_0000002.png", "step_0000004.png", "step_0000005.png"]
    assert kept.pictures == [(2, (8, 4)), (4, (8, 4)), (5, (8, 4))]


def test_what_an_error_would_lose_is_saved(tmp_path: Path) -> None:
    plain = trainer(max_iter=6)
    plain.train()
    made = with_checkpoints(trainer(max_iter=6), tmp_path, period=2)
    made.loader = islice(Noise(), 3)
    with pytest.raises(StopIteration):
        made.train()
    assert made.last_checkpoint == tmp_path / "model_0000003.pth"
    resumed = with_checkpoints(trainer(max_iter=6, start=3, seed=9), tmp_path)
    content = read_training_checkpoint(made.last_checkpoint)
    resumed.model.load_state_dict(content["model"], strict=False)
    saves = resumed.hooks[-1]
    assert isinstance(saves, SaveCheckpoints)
    saves.checkpointer.resume(content, made.last_checkpoint)
    resumed.train()
    assert recorder(resumed).losses == recorder(plain).losses[3:]


def test_nothing_is_saved_amid_an_update(tmp_path: Path) -> None:
    made = with_checkpoints(trainer(max_iter=6), tmp_path, period=2)
    made.hooks.insert(0, Breaker(made))
    with pytest.raises(KeyboardInterrupt):
        made.train()
    assert made.last_checkpoint == tmp_path / "model_0000002.pth"
    assert not (tmp_path / "model_0000003.pth").exists()


class Breaker(Hook):
    """Interrupts the update of the fourth step."""

    def __init__(self, made: Trainer) -> None:
        self.update = made.optimizer.step
        made.optimizer.step = self.step

    def step(self, *_: object) -> None:
        self.update()
        self.left = getattr(self, "left", 4) - 1
        if self.left == 0:
            raise KeyboardInterrupt
