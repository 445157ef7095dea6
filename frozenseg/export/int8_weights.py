"""Weights of the frozen image trunks as 8-bit integers with a scale for each output channel."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from frozenseg.modeling.layers.int8_linear import quantize_rows
from frozenseg.modeling.meta_arch.base import MaskClassifier

LAYERS = (nn.Conv2d, nn.Linear)


class _Int8Weight(nn.Module):
    """Parametrisation that stores a weight as integers and scales; computations stay in floating point."""

    def forward(self, integers: Tensor, scales: Tensor) -> Tensor:
        """Return the weight in floating point."""
        return integers.to(scales.dtype) * scales

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the nearest integers of a weight, and the scale of each output channel."""
        return quantize_rows(weight)


@torch.no_grad()
def quantize_trunks(model: MaskClassifier) -> int:
    """Store the weights of all convolutions and linear layers of the frozen image trunks as integers, in place.

    Returns:
        The number of quantised weights.
    """
    quantised = 0
    for part in model.frozen_parts().values():
        for trunk in part.image_trunk():
            for module in trunk.modules():
                if isinstance(module, LAYERS) and not parametrize.is_parametrized(module, "weight"):
                    parametrize.register_parametrization(module, "weight", _Int8Weight(), unsafe=True)
                    quantised += 1
    return quantised
