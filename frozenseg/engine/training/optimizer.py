"""Optimizer with parameter groups by learning rate and weight decay, and gradient clipping."""

import math
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from frozenseg.config import CfgNode
from frozenseg.errors import ConfigError

NORM_LAYERS = (
    nn.modules.batchnorm._BatchNorm,
    nn.modules.instancenorm._InstanceNorm,
    nn.GroupNorm,
    nn.LayerNorm,
    nn.LocalResponseNorm,
)
POSITION_TABLES = ("relative_position_bias_table", "absolute_pos_embed")
FUSED_DEVICES = {"cpu", "cuda"}  # one kernel updates all parameters, not a dozen kernels each of them
GradientClip = Callable[[Sequence[Tensor]], Tensor]
CLIPS: dict[str, Callable[..., Tensor]] = {"full_model": nn.utils.clip_grad_norm_}


def build_optimizer(cfg: CfgNode, model: nn.Module) -> torch.optim.Optimizer:
    """Build the optimizer over all parameters that require a gradient.

    Args:
        cfg: reads SOLVER.{OPTIMIZER, BASE_LR, MOMENTUM} and the keys of :func:`parameter_groups`.
        model: on its device.

    Raises:
        ConfigError: a model without trainable parameters.
    """
    solver = cfg.SOLVER
    devices = {parameter.device.type for parameter in model.parameters() if parameter.requires_grad}
    builders: dict[str, Callable[..., torch.optim.Optimizer]] = {
        "ADAMW": partial(torch.optim.AdamW, fused=True if devices <= FUSED_DEVICES else None),
        "SGD": partial(torch.optim.SGD, momentum=solver.MOMENTUM),
    }
    groups = parameter_groups(cfg, model)
    if not groups:
        raise ConfigError(f"{type(model).__name__} has no parameter that requires a gradient: nothing to train.")
    return builders[solver.OPTIMIZER](groups, lr=solver.BASE_LR)


def parameter_groups(cfg: CfgNode, model: nn.Module) -> list[dict[str, Any]]:
    """Group the trainable parameters by learning rate and weight decay, by the rules of the released training code.

    Args:
        cfg: reads SOLVER.{BASE_LR, BACKBONE_MULTIPLIER, WEIGHT_DECAY, WEIGHT_DECAY_NORM, WEIGHT_DECAY_EMBED}.
        model: any module; a parameter that two modules share is listed once, under the first of them.

    Returns:
        Groups with ``params``, ``lr``, ``initial_lr`` (which the schedule multiplies) and ``weight_decay``, in the
        order of their first parameters.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    taken: set[int] = set()
    for module_name, module in model.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if not parameter.requires_grad or id(parameter) in taken:
                continue
            taken.add(id(parameter))
            rate = cfg.SOLVER.BASE_LR * (cfg.SOLVER.BACKBONE_MULTIPLIER if "backbone" in module_name else 1.0)
            groups.setdefault((rate, _weight_decay(cfg.SOLVER, module, name)), []).append(parameter)
    return [
        {"params": params, "lr": rate, "initial_lr": rate, "weight_decay": decay}
        for (rate, decay), params in groups.items()
    ]


def _weight_decay(solver: CfgNode, module: nn.Module, name: str) -> float:
    if any(table in name for table in POSITION_TABLES):
        return 0.0
    if isinstance(module, NORM_LAYERS):
        return float(solver.WEIGHT_DECAY_NORM)
    return float(solver.WEIGHT_DECAY_EMBED if isinstance(module, nn.Embedding) else solver.WEIGHT_DECAY)


def build_gradient_clip(cfg: CfgNode) -> GradientClip:
    """Return a function that clips the gradients of parameters in place and returns their norm before, a scalar tensor.

    Args:
        cfg: reads SOLVER.CLIP_GRADIENTS; the only CLIP_TYPE is ``full_model``, the norm over all parameters.
    """
    clipping = cfg.SOLVER.CLIP_GRADIENTS
    if not clipping.ENABLED:
        return gradient_norm
    return partial(CLIPS[clipping.CLIP_TYPE], max_norm=clipping.CLIP_VALUE, norm_type=clipping.NORM_TYPE)


def gradient_norm(parameters: Sequence[Tensor]) -> Tensor:
    """Return the L2 norm over all gradients, a scalar tensor, without changing them."""
    return nn.utils.clip_grad_norm_(parameters, math.inf)
