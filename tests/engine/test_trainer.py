"""The loop: order of the hooks, progress, and how it ends."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from frozenseg.engine.hooks import Hook
from frozenseg.engine.optimizer import gradient_norm
from frozenseg.engine.trainer import Trainer
from frozenseg.errors import FrozenSegError
from tests.engine.one_layer import Noise, OneLayer, adamw, recorder, trainer, with_checkpoints


class Diary(Hook):
    """Writes down every call with the steps done."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def before_train(self, trainer: Trainer) -> None:
        self.lines.append(f"before_train {trainer.iteration}")

    def before_step(self, trainer: Trainer) -> None:
        self.lines.append(f"before_step {trainer.iteration}")

    def after_step(self, trainer: Trainer) -> None:
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
    step = made.last_step
    assert step is not None
    assert sorted(step.losses) == ["loss_fit", "loss_fit_0"]
    assert step.total == pytest.approx(sum(loss.item() for loss in step.losses.values()))
    assert not any(loss.requires_grad for loss in step.losses.values())
    assert step.learning_rate == 0.1
    assert step.gradient_norm.item() > 0
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
    assert parts.last_step.gradient_norm.item() == pytest.approx(whole.last_step.gradient_norm.item())
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
    assert made.last_step is not None
    assert made.last_step.gradient_norm.item() > 1  # what is told is the norm before clipping


def test_nan_loss_names_iteration_images_and_the_last_checkpoint(tmp_path: Path) -> None:
    made, diary = with_checkpoints(trainer(poisoned=4), tmp_path, period=2), Diary()
    made.hooks.append(diary)
    with pytest.raises(
        FrozenSegError,
        match=r"nan in iteration 5 \(loss_fit nan, loss_fit_0 nan\) on images 40 \(4_0\.jpg\), 41 \(4_1\.jpg\); "
        r"the last good checkpoint is .*model_0000004\.pth",
    ):
        made.train()
    assert diary.lines[-1] == "close 4"
    assert torch.isfinite(made.model.layer.weight).all()


def test_nan_loss_before_any_checkpoint() -> None:
    with pytest.raises(FrozenSegError, match="iteration 1 .*no checkpoint yet"):
        trainer(poisoned=0).train()


@pytest.mark.skipif(torch.cuda.is_available(), reason="the scaler is a CPU one")
def test_mixed_precision_scales_what_it_unscales() -> None:
    plain = trainer(max_iter=3)
    plain.train()
    mixed = trainer(max_iter=3)
    mixed.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with pytest.warns(
        UserWarning, match="(?i)cuda is not available"
    ):  # then autocast is off, and the scaler acts alone
        mixed.train()
    assert recorder(mixed).losses == pytest.approx(recorder(plain).losses)
    assert mixed.last_step.gradient_norm.item() == pytest.approx(plain.last_step.gradient_norm.item())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_mixed_precision_on_a_gpu() -> None:
    made = trainer(max_iter=3)
    made.model.cuda()
    made = Trainer(made.model, OnGpu(), adamw(made.model), steps=range(3), scaler=torch.amp.GradScaler("cuda"))
    made.train()
    assert made.iteration == 3


class OnGpu(Noise):
    """The same noise on the GPU."""

    def __iter__(self) -> Iterator[list[dict[str, Any]]]:
        for batch in super().__iter__():
            yield [{**element, "image": element["image"].cuda()} for element in batch]
