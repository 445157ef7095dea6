"""Activation checkpointing: recompute a layer in the backward pass instead of storing its activations."""

from collections.abc import Callable
from typing import Any, TypeVar

import torch
from torch.utils.checkpoint import checkpoint

Output = TypeVar("Output")


def run_layer(layer: Callable[..., Output], *inputs: Any, recompute: bool) -> Output:
    """Run a layer, optionally with activation checkpointing.

    Args:
        layer: module or function.
        inputs: its positional arguments.
        recompute: store only the inputs for the backward pass. Outputs and gradients are the same, dropout included;
            training needs less memory and more time. Without effect where gradients are disabled.
    """
    if recompute and torch.is_grad_enabled():
        return checkpoint(layer, *inputs, use_reentrant=False)
    return layer(*inputs)
