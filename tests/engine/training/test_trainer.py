"""The loop: order of the hooks, progress, and how it ends."""

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from frozenseg.engine.training.optimizer import gradient_norm
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook, Step, StepStatus, Trainer
from tests.engine.one_layer import Noise, OneLayer, adamw, recorder, trainer


class Diary(Hook):
    """Writes down every call with the steps done."""

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
    made, diary = trainer(max_iter=2), Diary()
    made.hooks.append(diary)
    made.train()
    assert diary.lines == [
        "before_train 0",
        "before_step 0",
        "after_step 1",
        "before_step 1",
        "after_step 2",
        "after_train 2",
        "close 2",
    ]


def test_a_run_that_is_done_does_nothing() -> None:
    made, diary = trainer(max_iter=3, start=3), Diary()
    made.hooks.append(diary)
    made.train()
    assert diary.lines == []


def test_training_learns() -> None:
    torch.manual_seed(0)
    model = OneLayer()
    made = Trainer(model, Noise(), adamw(model), steps=range(100))
    made.train()
    assert made.iteration == 100
    weight = model.layer.weight.detach()
    assert torch.allclose(weight, torch.full_like(weight, 1.5), atol=0.1)  # half the outputs are 2w, half 0


def test_a_step_tells_what_it_did() -> None:
    made = trainer(max_iter=1)
    made.train()
    [step] = recorder(made).steps
    assert sorted(step.losses) == ["loss_fit", "loss_fit_0"]
    assert step.total == pytest.approx(sum(loss.item() for loss in step.losses.values()))
    assert not any(loss.requires_grad for loss in step.losses.values())
    assert step.learning_rate == 0.1
    assert step.gradient_norm > 0
    assert 0 <= step.data_time <= step.time


def test_only_parameters_with_a_gradient_change() -> None:
    made = trainer(max_iter=2)
    before = {name: value.clone() for name, value in made.model.state_dict().items()}
    made.train()
    changed = {name for name, value in made.model.state_dict().items() if not torch.equal(value, before[name])}
    assert changed == {"layer.weight", "layer.bias"}


def test_gradients_of_parts_make_the_step_of_the_whole_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.nn.functional, "dropout", lambda x, share: x)  # it would draw for each part
    whole, parts = trainer(max_iter=3), trainer(max_iter=3)
    parts.images_at_once = 1
    seen: list[int] = []
    parts.model.register_forward_hook(lambda model, inputs, output: seen.append(len(inputs[0])))
    whole.train()
    parts.train()
    assert seen == [1] * 6
    assert recorder(parts).losses == pytest.approx(recorder(whole).losses)
    assert recorder(parts).steps[-1].gradient_norm == pytest.approx(recorder(whole).steps[-1].gradient_norm)
    assert torch.allclose(parts.model.layer.weight, whole.model.layer.weight)


def test_clipping_bounds_the_step() -> None:
    made = trainer(max_iter=1)
    norms = []

    def clip(parameters: list[torch.Tensor]) -> torch.Tensor:
        norm = torch.nn.utils.clip_grad_norm_(parameters, 0.01)
        norms.append(gradient_norm(parameters).item())
        return norm

    made.clip = clip
    made.train()
    assert norms == [pytest.approx(0.01, rel=1e-3)]
    assert recorder(made).steps[-1].gradient_norm > 1  # what is told is the norm before clipping


def test_a_step_that_is_not_finite_changes_nothing() -> None:
    made, kept = trainer(max_iter=6, poisoned=(2,)), Kept()
    made.hooks.append(kept)
    made.train()
    assert kept.statuses == [StepStatus.GOOD, StepStatus.GOOD, StepStatus.BAD, *[StepStatus.GOOD] * 3]
    assert torch.equal(kept.weights[1], kept.weights[2])
    assert not torch.equal(kept.weights[2], kept.weights[3])
    assert all(weight.isfinite().all() for weight in kept.weights)
    states = made.optimizer.state.values()
    assert all(value.isfinite().all() for state in states for value in state.values())


class Kept(Hook):
    """Keeps what became of each step, and the weights after it."""

    def __init__(self) -> None:
        self.statuses: list[StepStatus] = []
        self.weights: list[torch.Tensor] = []
        self.scales: list[float] = []

    def after_step(self, trainer: Trainer, step: Step) -> None:
        self.statuses.append(step.status)
        self.weights.append(trainer.model.layer.weight.detach().clone())
        self.scales.append(trainer.precision.scaler.get_scale())


def test_every_hook_is_closed_whatever_others_raise() -> None:
    class Clumsy(Hook):
        """Fails at the end."""

        def close(self, trainer: Trainer) -> None:
            raise OSError("no room")

    made, diary = trainer(max_iter=1), Diary()
    made.hooks += [Clumsy(), diary]
    with pytest.raises(OSError, match="no room"):
        made.train()
    assert diary.lines[-1] == "close 1"


def scaled(scale: float) -> Precision:
    """Return float32 with a scaler, as a CPU can have it."""
    return Precision("cpu", torch.float32, torch.amp.GradScaler("cpu", init_scale=scale))


def test_scaled_gradients_are_unscaled() -> None:
    plain = trainer(max_iter=3)
    plain.train()
    mixed = trainer(max_iter=3)
    mixed.precision = scaled(1024.0)
    mixed.train()
    assert recorder(mixed).losses == pytest.approx(recorder(plain).losses)
    assert recorder(mixed).steps[-1].gradient_norm == pytest.approx(recorder(plain).steps[-1].gradient_norm)


def test_a_scale_that_is_too_large_is_an_overflow_and_a_bad_loss_is_not_its_fault() -> None:
    made, kept = trainer(max_iter=4, poisoned=(3,)), Kept()
    made.precision = scaled(3e38)
    made.hooks.append(kept)
    made.train()
    assert kept.statuses == [StepStatus.OVERFLOW] * 3 + [StepStatus.BAD]
    assert kept.scales == pytest.approx([1.5e38, 0.75e38, 0.375e38, 0.375e38])
    assert all(torch.equal(weight, kept.weights[0]) for weight in kept.weights)


def test_an_overflow_that_no_scale_can_mend_is_bad() -> None:
    made, kept = trainer(max_iter=2), Kept()
    made.precision = scaled(2.0)
    made.clip = lambda _: torch.tensor(float("nan"))
    made.hooks.append(kept)
    made.train()
    made.precision.scaler.update(1.0)
    made.iteration, made.max_iter = 0, 1
    made.train()
    assert kept.statuses == [StepStatus.OVERFLOW, StepStatus.OVERFLOW, StepStatus.BAD]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_mixed_precision_on_a_gpu() -> None:
    made = trainer(max_iter=3)
    made.model.cuda()
    half = Precision.of("cuda", torch.float16)
    made = Trainer(made.model, OnGpu(), adamw(made.model), steps=range(3), precision=half)
    made.train()
    assert made.iteration == 3


class OnGpu(Noise):
    """The same noise on the GPU."""

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for batch in super().__iter__():
            yield [{**element, "image": element["image"].cuda()} for element in batch]
