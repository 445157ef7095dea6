"""Weights of the frozen image trunks as 8-bit integers with a scale for each output channel."""

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from frozenseg.modeling.meta_arch.base import MaskClassifier

LARGEST = 127  # symmetric: -127 … 127
LAYERS = (nn.Conv2d, nn.Linear)


class _Int8Weight(nn.Module):
    """Parametrisation that stores a weight as integers; computations stay in floating point."""

    scale: Tensor

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        largest = weight.flatten(1).abs().amax(dim=1).clamp(min=torch.finfo(weight.dtype).tiny)
        self.register_buffer("scale", (largest / LARGEST).view(-1, *[1] * (weight.ndim - 1)))

    def forward(self, integers: Tensor) -> Tensor:
        """Return the weight in floating point."""
        return integers.to(self.scale.dtype) * self.scale

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Return the nearest integers of a weight."""
        return (weight / self.scale).round().to(torch.int8)


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
                if isinstance(module, LAYERS):
                    parametrize.register_parametrization(module, "weight", _Int8Weight(module.weight), unsafe=True)
                    quantised += 1
    return quantised
