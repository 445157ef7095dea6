"""Multi-scale deformable attention by the implementation for the device of the values."""

import functools
import importlib.util
from collections.abc import Sequence

import torch
from torch import Tensor

from frozenseg.log import get_logger
from frozenseg.modeling.ops.ms_deform_attn_bag import ms_deform_attn_bag
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from frozenseg.modeling.ops.ms_deform_attn_triton import ms_deform_attn_triton
from frozenseg.modeling.tracing import is_traced

logger = get_logger(__name__)
CACHE_BYTES = 2**20
BAG_DTYPES = (torch.float32, torch.float64)
HAS_TRITON = importlib.util.find_spec("triton") is not None


def deformable_attention(
    value: Tensor, shapes: Sequence[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Sample the values of each level and sum them by weight.

    On CUDA by Triton's kernels, if Triton is installed; on the CPU as sums of table rows, except for gradients of
    small maps; otherwise, and while a graph is traced for compilation or export, in plain PyTorch: its operators exist
    everywhere.

    Args:
        value: (B, S, h, k), the levels concatenated, each in row-major order.
        shapes: (height, width) of each of the n levels; their areas sum to S.
        locations: (B, L, h, n, P, 2) x, y in 0 … 1 of the level's extent; values outside are zero.
        weights: (B, L, h, n, P) attention weights.

    Returns:
        (B, L, h·k).
    """
    traced = is_traced()
    plain = type(value) is Tensor and value.dtype in BAG_DTYPES  # not a fake tensor, by which FLOPs are counted
    if value.device.type == "cpu" and plain and not traced and not _trains_in_cache(value):
        return ms_deform_attn_bag(value, shapes, locations, weights)
    uses_triton = value.is_cuda and HAS_TRITON
    if not traced:
        _log_choice(value.device.type, uses_triton)
    if uses_triton:
        return ms_deform_attn_triton(value, shapes, locations, weights)
    return ms_deform_attn_torch(value, shapes, locations, weights)


def _trains_in_cache(value: Tensor) -> bool:
    """Return True if gradients are needed and the values of a head fit into the cache.

    The gradient of ``grid_sample``, which adds sample by sample, is then the faster one.
    """
    _, pixels, _, channels = value.shape
    return torch.is_grad_enabled() and value.requires_grad and pixels * channels * value.itemsize <= CACHE_BYTES


@functools.cache
def _log_choice(device: str, uses_triton: bool) -> None:
    """Log the implementation, once for each device."""
    if uses_triton:
        logger.info("Deformable attention on %s: kernels of Triton.", device)
    elif device != "cpu":
        logger.info("Deformable attention on %s: PyTorch, several times slower than Triton; install triton.", device)
