"""Implementations of deformable attention that a device runs, and random inputs of the size of a model."""

import importlib.util
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from frozenseg.errors import ConfigError, did_you_mean
from frozenseg.modeling.ops.ms_deform_attn_bag import ms_deform_attn_bag
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from frozenseg.modeling.ops.ms_deform_attn_triton import ms_deform_attn_triton

Attention = Callable[[Tensor, Sequence[tuple[int, int]], Tensor, Tensor], Tensor]
STRIDES = (32, 16, 8)  # of the levels of the pixel decoder
OFFSET = 4.0  # pixels: standard deviation of the sampling offsets


class Size(NamedTuple):
    """Size of the inputs."""

    height: int  # of the image
    width: int
    batch: int = 1
    heads: int = 8
    channels: int = 32  # of a head
    points: int = 4

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Height and width of each level."""
        return tuple((-(-self.height // stride), -(-self.width // stride)) for stride in STRIDES)


class Inputs(NamedTuple):
    """Arguments of the operator."""

    value: Tensor  # (B, S, h, k)
    shapes: tuple[tuple[int, int], ...]
    locations: Tensor  # (B, S, h, n, P, 2)
    weights: Tensor  # (B, S, h, n, P)

    def converted(self, dtype: torch.dtype) -> "Inputs":
        """Return leaves of another type with gradients; locations stay in float32, or become float64."""
        precise = torch.float64 if dtype == torch.float64 else torch.float32
        value, locations, weights = (
            each.detach().to(kind).requires_grad_()
            for each, kind in ((self.value, dtype), (self.locations, precise), (self.weights, dtype))
        )
        return Inputs(value, self.shapes, locations, weights)

    @property
    def tensors(self) -> tuple[Tensor, Tensor, Tensor]:
        """The differentiable inputs."""
        return self.value, self.locations, self.weights


def random_inputs(size: Size, device: torch.device) -> Inputs:
    """Return inputs of an encoder layer, float32: every pixel samples around its position on every level."""
    generator = torch.Generator().manual_seed(0)
    pixels = sum(height * width for height, width in size.shapes)
    samples = (size.batch, pixels, size.heads, len(size.shapes), size.points)
    centres = torch.cat([_centres(height, width) for height, width in size.shapes])  # (S, 2)
    extents = torch.tensor([(width, height) for height, width in size.shapes])  # (n, 2)
    offsets = OFFSET * torch.randn(*samples, 2, generator=generator) / extents[:, None, :]
    value = torch.randn(size.batch, pixels, size.heads, size.channels, generator=generator)
    weights = torch.randn(samples, generator=generator).flatten(3).softmax(dim=-1).view(samples)
    locations = centres[None, :, None, None, None, :] + offsets
    return Inputs(value.to(device), size.shapes, locations.to(device), weights.to(device))


def implementations(device: torch.device, names: Sequence[str] = ()) -> dict[str, Attention]:
    """Return the implementations for a device by name, all or the named ones.

    Raises:
        ConfigError: a name without an implementation for the device.
    """
    available: dict[str, Attention] = {"torch": ms_deform_attn_torch}
    if device.type == "cpu":
        available["bag"] = ms_deform_attn_bag
    elif importlib.util.find_spec("triton") is not None:
        available["triton"] = ms_deform_attn_triton
    for name in names:
        if name not in available:
            raise ConfigError(
                f"--implementations has {name!r}, which {device.type} does not run.{did_you_mean(name, available)} "
                f"Available: {', '.join(available)}."
            )
    return {name: available[name] for name in names or available}


def supports(name: str, dtype: torch.dtype) -> bool:
    """Return True if an implementation takes values of a type and locations in float32."""
    return name == "triton" or dtype in (torch.float32, torch.float64)


def _centres(height: int, width: int) -> Tensor:
    y, x = (torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).flatten(0, 1)  # (H·W, 2) x, y
