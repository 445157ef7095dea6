"""Layers whose inside is computed a second time in the backward pass, instead of being kept for it."""

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.checkpoint import checkpoint


def run_layer(layer: Callable[..., Any], *inputs: Any, recompute: bool) -> Any:
    """Run a layer; with ``recompute`` nothing but its inputs is kept for the backward pass.

    Args:
        layer: module or function.
        inputs: what it is called with.
        recompute: same outputs and gradients, dropout included, for less memory and more time.
    """
    if recompute and torch.is_grad_enabled():
        return checkpoint(layer, *inputs, use_reentrant=False)
    return layer(*inputs)
