"""The training loop of the pretraining: it learns, a resumed run has the same result, wrong checkpoints are refused."""

import contextlib
from pathlib import Path

import pytest
import torch
from torch import nn

from frozenseg.errors import CheckpointError
from lab.pretraining.optimise import Losses, ResumeFile, Schedule, optimise


class Stopped(Exception):  # noqa: N818
    """Replaces a killed process."""


def line(model: nn.Module, stop_at: int | None = None):
    """Return the losses of fitting y = 2x."""

    def losses_of(step: int) -> Losses:
        if step == stop_at:
            raise Stopped
        x = torch.randn(16, 1, generator=torch.Generator().manual_seed(step))
        return {"squares": (model(x) - 2 * x).square().mean()}

    return losses_of


def fresh() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(1, 1)


SCHEDULE = Schedule(steps=60, learning_rate=0.3, warm_up=5, weight_decay=0.0, keep_every=20, log_every=30)


def test_it_learns_and_ends_in_eval_mode(tmp_path: Path):
    model = fresh()
    seconds = optimise(model, line(model), SCHEDULE, ResumeFile(tmp_path / "state.pt", "this"))
    assert model.weight.item() == pytest.approx(2, abs=0.1)
    assert not model.training
    assert seconds > 0


def test_a_resumed_run_has_the_same_result(tmp_path: Path):
    whole, parts = fresh(), fresh()
    optimise(whole, line(whole), SCHEDULE, ResumeFile(tmp_path / "whole.pt", "this"))
    with pytest.raises(Stopped):
        optimise(parts, line(parts, stop_at=47), SCHEDULE, ResumeFile(tmp_path / "parts.pt", "this"))
    again = fresh()
    optimise(again, line(again), SCHEDULE, ResumeFile(tmp_path / "parts.pt", "this"))
    assert torch.equal(again.weight, whole.weight)
    assert torch.equal(again.bias, whole.bias)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no state", "Delete the file to start from scratch"),
        ({"run": "another"}, "belongs to a run with another seed or other amounts"),
        ({"run": "this"}, "does not fit the model"),
    ],
)
def test_wrong_checkpoints_are_refused(content: bytes | dict[str, str], message: str, tmp_path: Path):
    file = tmp_path / "state.pt"
    if isinstance(content, bytes):
        file.write_bytes(content)
    else:
        torch.save({"model": {"weight": torch.zeros(1)}, "frozen": {}, "trainer": content}, file)
    with pytest.raises(CheckpointError, match=message):
        optimise(fresh(), line(fresh()), SCHEDULE, ResumeFile(file, "this"))


def test_a_loss_that_is_not_finite_is_an_error(tmp_path: Path):
    model = fresh()
    with pytest.raises(CheckpointError, match="loss of step 0 is not finite"):
        optimise(
            model,
            lambda step: {"bad": model.weight.sum() * float("nan")},
            SCHEDULE,
            ResumeFile(tmp_path / "state.pt", "this"),
        )


def test_the_optimiser_has_the_rates_of_the_schedule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    model, rates = fresh(), []
    step = torch.optim.AdamW.step

    def recorded(optimizer: torch.optim.AdamW) -> None:
        rates.append([group["lr"] for group in optimizer.param_groups])
        step(optimizer)

    monkeypatch.setattr(torch.optim.AdamW, "step", recorded)
    schedule = SCHEDULE._replace(restart=20, slow=("bias",), slow_rate=0.1)
    for stop_at in (47, None):  # resumed after step 40
        with pytest.raises(Stopped) if stop_at else contextlib.nullcontext():
            optimise(model, line(model, stop_at), schedule, ResumeFile(tmp_path / "state.pt", "this"))
    steps = [*range(47), *range(40, 60)]
    assert rates == [[schedule.rate(number), schedule.rate(number) * 0.1] for number in steps]


def test_rates_warm_up_and_fall():
    assert SCHEDULE.rate(0) == pytest.approx(0.3 / 5)
    assert max(map(SCHEDULE.rate, range(60))) < 0.3
    assert SCHEDULE.rate(59) < 0.001


def test_a_second_cosine_is_as_high_as_the_first():
    twice = SCHEDULE._replace(restart=20)
    assert twice.rate(19) < 0.01
    assert twice.rate(20) == pytest.approx(0.3)
    assert twice.rate(59) < 0.001


def test_a_checkpoint_that_cannot_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(state: object, path: Path) -> None:
        raise RuntimeError("PytorchStreamWriter failed writing file")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match="cannot be written .*free some space, or use another folder"):
        optimise(fresh(), line(fresh()), SCHEDULE, ResumeFile(tmp_path / "state.pt", "this"))
