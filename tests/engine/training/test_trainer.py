"""Training loop: order of the hooks, steps, and its end."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from frozenseg.engine.training.optimizer import gradient_norm
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook, Step, StepStatus, Trainer
from tests.engine.one_layer import Noise, OneLayer, adamw, build_trainer, recorder_of


class CallLog(Hook):
    """Logs every call with the number of steps done."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def before_train(self, trainer: Trainer) -> None:
        self.lines.append(f"before_train {trainer.iteration}")

    def before_step(self, trainer: Trainer) -> None:
        self.lines.append(f"before_step {trainer.iteration}")

    def after_step(self, trainer: Trainer, step: Step) -> None:
        self.lines.append(f"after_step {trainer.iteration}")

    def after_train(self, trainer: Trainer) -> None:
        self.lines.append(f"after_train {trainer.iteration}")

    def close(self, trainer: Trainer) -> None:
        self.lines.append(f"close {trainer.iteration}")


def test_hooks_are_called_at_five_points() -> None:
    trainer, calls = build_trainer(max_iter=2), CallLog()
    trainer.hooks.append(calls)
    trainer.train()
    assert calls.lines == [
        "before_train 0",
        "before_step 0",
        "after_step 1",
        "before_step 1",
        "after_step 2",
        "after_train 2",
        "close 2",
    ]


def test_a_complete_run_calls_no_hook() -> None:
    trainer, calls = build_trainer(max_iter=3, start=3), CallLog()
    trainer.hooks.append(calls)
    trainer.train()
    assert calls.lines == []


def test_training_learns() -> None:
    torch.manual_seed(0)
    model = OneLayer()
    trainer = Trainer(model, Noise(), adamw(model), steps=range(100))
    trainer.train()
    assert trainer.iteration == 100
    weight = model.layer.weight.detach()
    assert torch.allclose(weight, torch.full_like(weight, 1.5), atol=0.1)  # half the outputs are 2w, half 0


def test_a_step_has_losses_norm_and_times() -> None:
    trainer = build_trainer(max_iter=1)
    trainer.train()
    [step] = recorder_of(trainer).steps
    assert sorted(step.losses) == ["loss_fit", "loss_fit_0"]
    assert step.total == pytest.approx(sum(loss.item() for loss in step.losses.values()))
    assert not any(loss.requires_grad for loss in step.losses.values())
    assert step.learning_rate == 0.1
    assert step.gradient_norm > 0
    assert 0 <= step.data_time <= step.time


def test_only_parameters_with_a_gradient_change() -> None:
    trainer = build_trainer(max_iter=2)
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    trainer.train()
    changed = {name for name, value in trainer.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"layer.weight", "layer.bias"}


def test_gradients_of_parts_make_the_step_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda x, share: x)  # dropout would draw for each part
    whole, parts = build_trainer(max_iter=3), build_trainer(max_iter=3)
    parts.images_at_once = 1
    seen: list[int] = []
    parts.model.register_forward_hook(lambda model, inputs, output: seen.append(len(inputs[0])))
    whole.train()
    parts.train()
    assert seen == [1] * 6
    assert recorder_of(parts).losses == pytest.approx(recorder_of(whole).losses)
    assert recorder_of(parts).steps[-1].gradient_norm == pytest.approx(recorder_of(whole).steps[-1].gradient_norm)
    assert torch.allclose(parts.model.layer.weight, whole.model.layer.weight)


def test_clipping_bounds_the_step() -> None:
    trainer = build_trainer(max_iter=1)
    norms = []

    def clip(parameters: list[torch.Tensor]) -> torch.Tensor:
        norm = torch.nn.utils.clip_grad_norm_(parameters, 0.01)
        norms.append(gradient_norm(parameters).item())
        return norm

    trainer.clip = clip
    trainer.train()
    assert norms == [pytest.approx(0.01, rel=1e-3)]
    assert recorder_of(trainer).steps[-1].gradient_norm > 1  # the norm before clipping


def test_a_step_that_is_not_finite_changes_nothing() -> None:
    trainer, log = build_trainer(max_iter=6, poisoned=(2,)), StepLog()
    trainer.hooks.append(log)
    trainer.train()
    assert log.statuses == [StepStatus.GOOD, StepStatus.GOOD, StepStatus.BAD, *[StepStatus.GOOD] * 3]
    assert torch.equal(log.weights[1], log.weights[2])
    assert not torch.equal(log.weights[2], log.weights[3])
    assert all(weight.isfinite().all() for weight in log.weights)
    states = trainer.optimizer.state.values()
    assert all(value.isfinite().all() for state in states for value in state.values())


class StepLog(Hook):
    """Keeps the status of each step, and the weights and the loss scale after it."""

    def __init__(self) -> None:
        self.statuses: list[StepStatus] = []
        self.weights: list[torch.Tensor] = []
        self.scales: list[float] = []

    def after_step(self, trainer: Trainer, step: Step) -> None:
        self.statuses.append(step.status)
        self.weights.append(trainer.model.layer.weight.detach().clone())
        self.scales.append(trainer.precision.scaler.get_scale())


def test_every_hook_is_closed_even_if_another_one_fails() -> None:
    class FailingClose(Hook):
        """Fails in close."""

        def close(self, trainer: Trainer) -> None:
            raise OSError("no room")

    trainer, calls = build_trainer(max_iter=1), CallLog()
    trainer.hooks += [FailingClose(), calls]
    with pytest.raises(OSError, match="no room"):
        trainer.train()
    assert calls.lines[-1] == "close 1"


def scaled(scale: float) -> Precision:
    """Return float32 with a loss scale, which also works on a CPU."""
    return Precision("cpu", torch.float32, torch.amp.GradScaler("cpu", init_scale=scale))


def test_scaled_gradients_are_unscaled() -> None:
    plain = build_trainer(max_iter=3)
    plain.train()
    mixed = build_trainer(max_iter=3)
    mixed.precision = scaled(1024.0)
    mixed.train()
    assert recorder_of(mixed).losses == pytest.approx(recorder_of(plain).losses)
    assert recorder_of(mixed).steps[-1].gradient_norm == pytest.approx(recorder_of(plain).steps[-1].gradient_norm)


def test_a_large_scale_is_an_overflow_and_a_bad_loss_keeps_the_scale() -> None:
    trainer, log = build_trainer(max_iter=4, poisoned=(3,)), StepLog()
    trainer.precision = scaled(3e38)
    trainer.hooks.append(log)
    trainer.train()
    assert log.statuses == [StepStatus.OVERFLOW] * 3 + [StepStatus.BAD]
    assert log.scales == pytest.approx([1.5e38, 0.75e38, 0.375e38, 0.375e38])
    assert all(torch.equal(weight, log.weights[0]) for weight in log.weights)


def test_an_overflow_at_the_smallest_scale_is_bad() -> None:
    trainer, log = build_trainer(max_iter=2), StepLog()
    trainer.precision = scaled(2.0)
    trainer.clip = lambda _: torch.tensor(float("nan"))
    trainer.hooks.append(log)
    trainer.train()
    trainer.precision.scaler.update(1.0)
    trainer.iteration, trainer.max_iter = 0, 1
    trainer.train()
    assert log.statuses == [StepStatus.OVERFLOW, StepStatus.OVERFLOW, StepStatus.BAD]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_mixed_precision_on_a_gpu() -> None:
    trainer = build_trainer(max_iter=3)
    trainer.model.cuda()
    half = Precision.of("cuda", torch.float16)
    trainer = Trainer(trainer.model, OnGpu(), adamw(trainer.model), steps=range(3), precision=half)
    trainer.train()
    assert trainer.iteration == 3


class OnGpu(Noise):
    """Noise on the GPU."""

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for batch in super().__iter__():
            yield [{**element, "image": element["image"].cuda()} for element in batch]
