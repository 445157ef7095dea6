"""Replay of a bad step from its dump, to find the first module with a non-finite output or gradient."""

import functools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from frozenseg.config import config_from_text
from frozenseg.device import pick_device
from frozenseg.engine.checkpoints.random_states import restore_random_states
from frozenseg.engine.training.bad_steps import batch_of
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Hook, Step, Trainer
from frozenseg.errors import CheckpointError
from frozenseg.modeling.acceleration import on_device
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.load_weights import load_checkpoint


class Replay(NamedTuple):
    """Result of running a bad step again."""

    iteration: int  # number of the step, from 1
    images: list[str]
    precision: str
    weights: str  # the first weight that is not finite; empty if all are finite
    output: str  # the first module with a non-finite output; empty if there is none
    inputs_finite: bool  # of that module
    gradient: str  # in backward order, the first module with a non-finite output gradient; empty if none
    losses: dict[str, float]
    losses_before: dict[str, float]  # in the training

    @property
    def finite(self) -> bool:
        """True if all weights, outputs and gradients were finite."""
        return not (self.weights or self.output or self.gradient)


def replay(path: str | Path, options: Sequence[str] = ()) -> Replay:
    """Run the step of a dump again, forward and backward.

    Args:
        path: a file in ``bad_steps/``.
        options: ``KEY VALUE`` overrides of its config, such as SOLVER.AMP.ENABLED False.

    Raises:
        CheckpointError: the file is no dump, or damaged.
        ConfigError: an invalid option.
    """
    dump = read_checkpoint(path)
    vocabulary = trained_vocabulary(dump)
    if "bad_step" not in dump or vocabulary is None:
        raise CheckpointError(f"{path} is no dump of a training step: give a file in the folder bad_steps of a run.")
    cfg, step = config_from_text(dump["config"], f"the config in {path}", options), dump["bad_step"]
    model = build_model(cfg, vocabulary).train()
    load_checkpoint(model, dump, path)
    on_device(model, cfg, pick_device(cfg.MODEL.DEVICE))
    batch, precision = batch_of(step), Precision.from_config(cfg, model.device)
    monitor, recorder = _FiniteMonitor(model), _StepRecorder()
    restore_random_states(step["random_states"])
    weights = [value for value in model.parameters() if value.requires_grad]
    trainer = Trainer(
        model,
        [batch],
        torch.optim.SGD(weights, lr=0.0),
        steps=range(1),
        images_at_once=cfg.SOLVER.IMAGES_AT_ONCE,
        precision=precision,
        hooks=[recorder],
    )
    trainer.train()
    return Replay(
        iteration=step["iteration"],
        images=[f"{element.get('image_id')} ({element.get('file_name')})" for element in batch],
        precision=str(precision),
        weights=next((name for name, value in model.named_parameters() if not value.isfinite().all()), ""),
        output=monitor.output,
        inputs_finite=monitor.inputs_finite,
        gradient=monitor.gradient,
        losses={name: loss.item() for name, loss in recorder.losses.items()},
        losses_before=step["losses"],
    )


class _StepRecorder(Hook):
    """Keeps the losses of the last step."""

    def __init__(self) -> None:
        self.losses: dict[str, Tensor] = {}

    def after_step(self, trainer: Trainer, step: Step) -> None:
        """Keep the losses."""
        self.losses = step.losses


class _FiniteMonitor:
    """Checks the inputs, outputs and output gradients of every module of a model for non-finite values.

    A submodule finishes before the module that contains it, so the first one noted is the innermost.
    """

    def __init__(self, model: nn.Module) -> None:
        self.output, self.gradient = "", ""
        self.inputs_finite = True
        for name, module in model.named_modules():
            module.register_forward_hook(lambda _, inputs, output, name=name: self._check(name, inputs, output))

    def _check(self, name: str, inputs: Any, output: Any) -> None:
        name = name or "the model itself"
        for tensor in _tensors(output):
            if not self.output and not tensor.isfinite().all():
                self.output = name
                self.inputs_finite = all(bool(tensor.isfinite().all()) for tensor in _tensors(inputs))
            if tensor.requires_grad:
                check_gradient = functools.partial(self._check_gradient, name)
                tensor.register_hook(check_gradient)  # type: ignore[no-untyped-call]  # torch's method

    def _check_gradient(self, name: str, gradient: Tensor) -> None:
        if not self.gradient and not gradient.isfinite().all():
            self.gradient = name


def _tensors(value: Any) -> Iterator[Tensor]:
    """Yield the floating-point tensors in tensors, sequences and dictionaries."""
    if isinstance(value, Tensor):
        if value.is_floating_point():
            yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
    elif isinstance(value, dict):
        yield from _tensors(list(value.values()))
