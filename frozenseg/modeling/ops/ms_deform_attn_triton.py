"""Multi-scale deformable attention as a custom operator of torch, by the kernels of ``deform_attn_kernels.py``.

``torch.compile`` takes it as one operation. On a CPU it runs in Triton's interpreter only (``TRITON_INTERPRET=1``).

Letters: B images, S pixels of all levels together, L queries, h heads, k = d/h channels per head, n levels, P points.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from frozenseg.errors import ShapeError
from frozenseg.structures.shapes import check_shape

KERNEL_DTYPES = (torch.float32, torch.float16, torch.bfloat16, torch.float64)
BLOCK_VALUES = 1024  # values of the output that a program computes
MAX_BLOCK = 64  # queries of a program
MAX_VALUES = 2**31  # values of one image, which 32-bit offsets address


def ms_deform_attn_triton(
    value: Tensor, shapes: Sequence[tuple[int, int]], locations: Tensor, weights: Tensor
) -> Tensor:
    """Sample the values of each level and sum them by weight, as ``ms_deform_attn_torch`` does.

    Args:
        value: (B, S, h, k), the levels concatenated, each in row-major order; the type of the output.
        shapes: (height, width) of each of the n levels; their areas sum to S.
        locations: (B, L, h, n, P, 2) x, y in 0 … 1 of the level's extent; values outside are zero.
        weights: (B, L, h, n, P) attention weights.

    Returns:
        (B, L, h·k).

    Raises:
        ShapeError: a tensor of another shape, type or device, or more values than the kernels address.
    """
    check_shape("value", value, "B S h k", S=sum(height * width for height, width in shapes))
    batch, pixels, heads, channels = value.shape
    check_shape("locations", locations, "B L h n P 2", B=batch, h=heads, n=len(shapes))
    queries, points = locations.shape[1], locations.shape[4]
    check_shape("weights", weights, "B L h n P", B=batch, L=queries, h=heads, n=len(shapes), P=points)
    for name, tensor in (("value", value), ("locations", locations), ("weights", weights)):
        if tensor.dtype not in KERNEL_DTYPES or tensor.device != value.device:
            raise ShapeError(
                f"{name} is {tensor.dtype} on {tensor.device}, expected one of {', '.join(map(str, KERNEL_DTYPES))} on "
                f"{value.device}."
            )
    if pixels * heads * channels >= MAX_VALUES:
        raise ShapeError(
            f"An image has {pixels} × {heads} × {channels} values, expected fewer than {MAX_VALUES}: use "
            "smaller images."
        )
    sizes = [extent for shape in shapes for extent in shape]
    output: Tensor = torch.ops.frozenseg.ms_deform_attn(value, sizes, locations, weights)
    return output


def _forward(value: Tensor, sizes: list[int], locations: Tensor, weights: Tensor) -> Tensor:
    from frozenseg.modeling.ops.deform_attn_kernels import forward_kernel  # imports Triton

    value, locations, weights = value.contiguous(), locations.contiguous(), weights.contiguous()
    output: Tensor = _empty_output(value, sizes, locations, weights)
    if output.numel():
        grid, shape, block = _launch(value, locations)
        counts = (locations.shape[1], value.shape[1])
        with torch.cuda.device(value.device.index if value.is_cuda else -1):
            forward_kernel[grid](value, locations, weights, output, tuple(sizes), counts, shape, block)
    return output


def _backward(
    value: Tensor, sizes: list[int], locations: Tensor, weights: Tensor, grad_output: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    from frozenseg.modeling.ops.deform_attn_kernels import backward_kernel  # imports Triton

    inputs = (value.contiguous(), locations.contiguous(), weights.contiguous())
    sums = torch.float64 if value.dtype == torch.float64 else torch.float32
    grads = (torch.zeros_like(inputs[0], dtype=sums), torch.empty_like(inputs[1]), torch.empty_like(inputs[2]))
    if grad_output.numel():
        grid, shape, block = _launch(value, locations)
        counts = (locations.shape[1], value.shape[1])
        with torch.cuda.device(value.device.index if value.is_cuda else -1):
            backward_kernel[grid](inputs, grad_output.contiguous(), grads, tuple(sizes), counts, shape, block)
    return grads[0].to(value.dtype), grads[1], grads[2]


def _empty_output(value: Tensor, sizes: list[int], locations: Tensor, weights: Tensor) -> Tensor:
    del sizes, weights
    batch, _, heads, channels = value.shape
    output: Tensor = value.new_empty(batch, locations.shape[1], heads * channels)
    return output


def _empty_gradients(
    value: Tensor, sizes: list[int], locations: Tensor, weights: Tensor, grad_output: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    del sizes, grad_output
    of_value, of_locations, of_weights = (
        torch.empty_like(each, memory_format=torch.contiguous_format) for each in (value, locations, weights)
    )
    return of_value, of_locations, of_weights


def _keep_inputs(ctx: Any, inputs: tuple[Tensor, list[int], Tensor, Tensor], output: Tensor) -> None:
    del output
    value, ctx.sizes, locations, weights = inputs
    ctx.save_for_backward(value, locations, weights)


def _gradients(ctx: Any, grad_output: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
    value, locations, weights = ctx.saved_tensors
    of_value, of_locations, of_weights = torch.ops.frozenseg.ms_deform_attn_backward(
        value, ctx.sizes, locations, weights, grad_output
    )
    return of_value, None, of_locations, of_weights


def _launch(value: Tensor, locations: Tensor) -> tuple[tuple[int, int, int], tuple[int, int, int, int, int], int]:
    """Return the grid, the constant sizes of the kernels, and the queries of a program."""
    batch, _, heads, channels = value.shape
    _, queries, _, levels, points, _ = locations.shape
    padded = 1 << (channels - 1).bit_length()  # the next power of two
    block = min(MAX_BLOCK, max(1, BLOCK_VALUES // padded))
    return (-(-queries // block), heads, batch), (heads, channels, levels, points, padded), block


torch.library.define(
    "frozenseg::ms_deform_attn", "(Tensor value, SymInt[] sizes, Tensor locations, Tensor weights) -> Tensor"
)
torch.library.define(
    "frozenseg::ms_deform_attn_backward",
    "(Tensor value, SymInt[] sizes, Tensor locations, Tensor weights, Tensor grad_output) -> (Tensor, Tensor, Tensor)",
)
torch.library.impl("frozenseg::ms_deform_attn", "default", _forward)
torch.library.impl("frozenseg::ms_deform_attn_backward", "default", _backward)
torch.library.register_fake("frozenseg::ms_deform_attn", _empty_output)
torch.library.register_fake("frozenseg::ms_deform_attn_backward", _empty_gradients)
torch.library.register_autograd("frozenseg::ms_deform_attn", _gradients, setup_context=_keep_inputs)
