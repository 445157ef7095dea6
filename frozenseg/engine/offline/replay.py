"""A bad step, run again from its dump: which part of the model was the first whose numbers were not finite?"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
import yaml
from torch import Tensor, nn

from frozenseg.config import CfgNode, get_cfg
from frozenseg.device import pick_device
from frozenseg.engine.checkpoints.random_states import restore_random_states
from frozenseg.engine.training.bad_steps import batch_of
from frozenseg.engine.training.precision import Precision
from frozenseg.engine.training.trainer import Trainer
from frozenseg.errors import CheckpointError
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
from frozenseg.modeling.load_weights import load_checkpoint


class Replay(NamedTuple):
    """What a bad step did when it was run again."""

    iteration: int  # number of the step, from 1
    images: list[str]
    precision: str
    weights: str  # the first weight that is not finite; empty: all are
    output: str  # the first module whose output was not finite; empty: all were
    inputs_finite: bool  # of that module
    gradient: str  # going backwards, the first module whose output's gradient was not finite; empty: all were
    losses: dict[str, float]
    losses_before: dict[str, float]  # as they were in the training

    @property
    def finite(self) -> bool:
        """Whether everything was finite this time."""
        return not (self.weights or self.output or self.gradient)


def replay(path: str | Path, options: Sequence[str] = ()) -> Replay:
    """Run a dumped step again, forward and backward.

    Args:
        path: a file of ``bad_steps/``.
        options: ``KEY VALUE`` pairs on top of its config, such as SOLVER.AMP.ENABLED False.

    Raises:
        CheckpointError: no dump, or a damaged one.
        ConfigError: an option that is wrong.
    """
    dump = read_checkpoint(path)
    vocabulary = trained_vocabulary(dump)
    if "bad_step" not in dump or vocabulary is None:
        raise CheckpointError(f"{path} is no dump of a training step: give a file of the folder bad_steps of a run.")
    cfg, step = _config(dump["config"], options), dump["bad_step"]
    model = build_model(cfg, vocabulary).train()
    load_checkpoint(model, dump, path)
    model.to(pick_device(cfg.MODEL.DEVICE))
    batch, precision = batch_of(step), Precision.from_config(cfg, model.device)
    watch = _Watch(model)
    restore_random_states(step["random_states"])
    weights = [value for value in model.parameters() if value.requires_grad]
    trainer = Trainer(
        model,
        [batch],
        torch.optim.SGD(weights, lr=0.0),
        steps=range(1),
        images_at_once=cfg.SOLVER.IMAGES_AT_ONCE,
        precision=precision,
    )
    trainer.train()
    assert trainer.last_step is not None  # noqa: S101 (it has made one step)
    return Replay(
        iteration=step["iteration"],
        images=[f"{element.get('image_id')} ({element.get('file_name')})" for element in batch],
        precision=str(precision),
        weights=next((name for name, value in model.named_parameters() if not value.isfinite().all()), ""),
        output=watch.output,
        inputs_finite=watch.inputs_finite,
        gradient=watch.gradient,
        losses={name: loss.item() for name, loss in trainer.last_step.losses.items()},
        losses_before=step["losses"],
    )


class _Watch:
    """Looks at what every module of a model gets and gives.

    Modules within others are through before them, so the first that is noted is the innermost.
    """

    def __init__(self, model: nn.Module) -> None:
        self.output, self.gradient = "", ""
        self.inputs_finite = True
        for name, module in model.named_modules():
            module.register_forward_hook(lambda _, given, output, name=name: self._look(name, given, output))

    def _look(self, name: str, given: Any, output: Any) -> None:
        name = name or "the model itself"
        for tensor in _tensors(output):
            if not self.output and not tensor.isfinite().all():
                self.output = name
                self.inputs_finite = all(bool(tensor.isfinite().all()) for tensor in _tensors(given))
            if tensor.requires_grad:
                tensor.register_hook(lambda gradient: self._look_back(name, gradient))

    def _look_back(self, name: str, gradient: Tensor) -> None:
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


def _config(text: str, options: Sequence[str]) -> CfgNode:
    cfg = get_cfg()
    cfg.merge_from_other_cfg(yaml.safe_load(text))
    cfg.merge_from_list(list(options))
    cfg.freeze()
    return cfg
