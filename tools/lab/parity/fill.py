"""Deterministic weights: the values of a tensor depend on its name and shape only, so that no weights are stored."""

import math
import re
import zlib

import torch
from torch import Tensor, nn

UNCHANGED = re.compile(r"(empty_weight|num_batches_tracked|pixel_mean|pixel_std)$")
PLAIN_NORMAL = re.compile(
    r"((query_feat|query_embed|level_embed|iou_token|mask_tokens|point_embeddings\.\d+|not_a_point_embed"
    r"|no_mask_embed)(\.weight)?|positional_encoding_gaussian_matrix)$"
)
# factors on the standard deviation 1/√(fan-in) of matrices; the first pattern that matches is used
GAINS = tuple(
    (re.compile(pattern), gain)
    for pattern, gain in (
        (r"clip_model\.token_embedding\.weight$", 27.0),
        (r"clip_model\.transformer\..*in_proj_weight$", 3.0),
        (r"clip_model\.visual\.attnpool\.[qk]_proj\.weight$", 1.5),
        (r"clip_model\.visual\.attnpool\.positional_embedding$", 10.0),
        (r"clip_model\.visual\.layer\d\..*conv3\.weight$", 0.5),
        (r"clip_model\.visual\.(conv\d|layer\d\..*)\.weight$", 1.4),
        (r"predictor\.transformer_cross_attention_layers_sam\..*out_proj\.weight$", 0.5),
        (r"predictor\.transformer_.*out_proj\.weight$", 0.15),
        (r"predictor\.transformer_.*linear2\.weight$", 0.3),
        (r"predictor\._mask_pooling_proj\.1\.weight$", 0.3),
    )
)
CENTRED_FROM = 16  # columns; the rows of matrices with as many columns or more have mean 0
RING_HEADS, RING_POINTS = 8, 4


@torch.no_grad()
def fill(module: nn.Module, prefix: str = "") -> int:
    """Set all weights of a module to their deterministic values.

    Args:
        module: any module.
        prefix: prefix of its names in the whole model.

    Returns:
        The number of changed tensors.
    """
    count = 0
    for name, tensor in module.state_dict().items():
        value = value_of(prefix + name, tensor.shape) if tensor.is_floating_point() else None
        if value is not None:
            tensor.copy_(value)
            count += 1
    return count


def value_of(name: str, shape: torch.Size) -> Tensor | None:
    """Return the float32 value of a tensor, or None if it is not changed.

    Args:
        name: in the state dict of the whole model.
        shape: of the tensor.
    """
    if UNCHANGED.search(name):
        return None
    if name.endswith("logit_scale"):
        return torch.full(shape, 4.6052 if "clip_model." in name else 4.0)  # CLIP's scale is limited to 100
    if name.endswith("sampling_offsets.bias"):
        # a model with another number of heads than the released ones keeps its initial offsets
        return None if shape.numel() % (RING_HEADS * RING_POINTS * 2) else _ring(shape)
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    if name.endswith("running_var"):
        return 1 + 0.1 * torch.rand(shape, generator=generator)
    normal = torch.randn(shape, generator=generator)
    if name.endswith("running_mean"):
        return 0.02 * normal
    if PLAIN_NORMAL.search(name) or not shape:
        return normal
    if name.endswith("image_encoder.pos_embed"):
        return 0.5 * normal
    if len(shape) == 1:
        return 0.02 * normal if name.endswith("bias") else 1 + 0.1 * normal
    return _matrix(name, normal)


def checksum(module: nn.Module) -> dict[str, float]:
    """Return the number, the sum and the sum of magnitudes of all changed weights, in float64."""
    totals = {"numel": 0.0, "sum": 0.0, "abs_sum": 0.0}
    for name, tensor in module.state_dict().items():
        if tensor.is_floating_point() and not UNCHANGED.search(name):
            values = tensor.double()
            totals["numel"] += values.numel()
            totals["sum"] += float(values.sum())
            totals["abs_sum"] += float(values.abs().sum())
    return totals


def _matrix(name: str, normal: Tensor) -> Tensor:
    if normal.shape[1] >= CENTRED_FROM:
        normal = normal - normal.mean(dim=1, keepdim=True)
    gain = next((gain for pattern, gain in GAINS if pattern.search(name)), 1.0)
    return normal * (gain / math.sqrt(normal.numel() / normal.shape[0]))


def _ring(shape: torch.Size) -> Tensor:
    """Return the initial offsets of deformable attention: one direction per head, distances of 1 to 4 pixels."""
    angle = torch.arange(RING_HEADS, dtype=torch.float32) * (2.0 * math.pi / RING_HEADS)
    direction = torch.stack([angle.cos(), angle.sin()], dim=-1)
    direction = direction / direction.abs().max(dim=-1, keepdim=True)[0]
    levels = shape.numel() // (RING_HEADS * RING_POINTS * 2)
    distance = torch.arange(1, RING_POINTS + 1, dtype=torch.float32)
    ring = direction[:, None, None, :] * distance[:, None]  # (heads, 1, points, 2)
    return ring.expand(-1, levels, -1, -1).reshape(shape)
