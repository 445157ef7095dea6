"""Kernels of multi-scale deformable attention in Triton, forward and backward.

One program computes a block of queries of one head of one image. It reads the four pixels around each sampling location
straight from the values and sums them in float32 (float64 for float64 values), so that no sampled value is written to
memory. The backward program reads the same pixels again: all gradients of a sample follow from the four products of its
pixels with the gradient of the output. The gradient of the values is summed by atomic additions, whose order differs
from run to run.

Letters: B images, S pixels of all levels together, L queries, h heads, k = d/h channels per head, n levels, P points.
"""

from collections.abc import Callable
from typing import Any

import triton
import triton.language as tl


def _kernel(function: Callable[..., Any]) -> Any:
    """Compile a function once for all image sizes."""
    return triton.jit(function, do_not_specialize=["sizes", "counts"])


@_kernel
def pixel_index(row: tl.tensor, column: tl.tensor, size: tl.tuple, live: tl.tensor) -> tuple[tl.tensor, tl.tensor]:
    """Return the index of a pixel in its level, 0 outside, and True if it is inside."""
    inside = live & (row >= 0) & (row < size[0]) & (column >= 0) & (column < size[1])
    return tl.where(inside, row * size[1] + column, 0), inside


@_kernel
def sample_position(
    location: tl.tensor, size: tl.tuple, live: tl.tensor, sum_type: tl.constexpr
) -> tuple[tl.tensor, ...]:
    """Return the row and column above and left of a location, and the location's distances from them."""
    x = tl.load(location, mask=live, other=0).to(sum_type) * size[1] - 0.5
    y = tl.load(location + 1, mask=live, other=0).to(sum_type) * size[0] - 0.5
    near = (x > -1) & (x < size[1]) & (y > -1) & (y < size[0])  # False for NaN
    x, y = tl.where(near, x, -2), tl.where(near, y, -2)  # all four pixels outside
    left, top = tl.floor(x), tl.floor(y)
    return top.to(tl.int32), left.to(tl.int32), y - top, x - left


@_kernel
def forward_kernel(
    value: tl.tensor,
    locations: tl.tensor,
    weights: tl.tensor,
    output: tl.tensor,
    sizes: tl.tuple,
    counts: tl.tuple,
    shape: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """Write the output of a block of queries of a head of an image.

    Args:
        value: (B, S, h, k).
        locations: (B, L, h, n, P, 2).
        weights: (B, L, h, n, P).
        output: (B, L, h·k).
        sizes: height and width of each level.
        counts: L and S.
        shape: h, k, n, P, and k rounded up to a power of two.
        block: queries of a program.
    """
    heads: tl.constexpr = shape[0]
    channels: tl.constexpr = shape[1]
    levels: tl.constexpr = shape[2]
    points: tl.constexpr = shape[3]
    padded: tl.constexpr = shape[4]
    sum_type: tl.constexpr = tl.float64 if value.dtype.element_ty == tl.float64 else tl.float32
    head, image = tl.program_id(1), tl.program_id(2).to(tl.int64)
    query = tl.program_id(0) * block + tl.arange(0, block)
    live = query < counts[0]
    channel = tl.arange(0, padded)[None, :]
    index = (image * counts[0] + query) * heads + head  # of (B, L, h)
    maps = value + (image * counts[1] * heads + head) * channels + channel  # pixel 0 of the first level
    total = tl.zeros([block, padded], sum_type)
    for level in tl.static_range(levels):
        size = (sizes[2 * level], sizes[2 * level + 1])
        for point in tl.range(0, points, loop_unroll_factor=4):
            sample = (index * levels + level) * points + point
            row, column, down, right = sample_position(locations + 2 * sample, size, live, sum_type)
            weight = tl.load(weights + sample, mask=live, other=0).to(sum_type)
            for corner in tl.static_range(4):
                pixel, inside = pixel_index(row + corner // 2, column + corner % 2, size, live)
                share = (down if corner // 2 else 1 - down) * (right if corner % 2 else 1 - right)
                mask = inside[:, None] & (channel < channels)
                pixels = tl.load(maps + pixel[:, None] * (heads * channels), mask=mask, other=0)
                total += (weight * share)[:, None] * pixels.to(sum_type)
        maps += size[0] * size[1] * (heads * channels)
    tl.store(output + index[:, None] * channels + channel, total, mask=live[:, None] & (channel < channels))


@_kernel
def backward_kernel(
    inputs: tl.tuple,
    grad_output: tl.tensor,
    grads: tl.tuple,
    sizes: tl.tuple,
    counts: tl.tuple,
    shape: tl.constexpr,
    block: tl.constexpr,
) -> None:
    """Write the gradients of a block of queries of a head of an image; add the gradient of the values.

    Args:
        inputs: value, locations and weights.
        grad_output: gradient of the output.
        grads: gradients of the inputs, that of the values in the type of the sums and filled with zeros.
        sizes: height and width of each level.
        counts: L and S.
        shape: h, k, n, P, and k rounded up to a power of two.
        block: queries of a program.
    """
    heads: tl.constexpr = shape[0]
    channels: tl.constexpr = shape[1]
    levels: tl.constexpr = shape[2]
    points: tl.constexpr = shape[3]
    padded: tl.constexpr = shape[4]
    sum_type: tl.constexpr = grads[0].dtype.element_ty
    head, image = tl.program_id(1), tl.program_id(2).to(tl.int64)
    query = tl.program_id(0) * block + tl.arange(0, block)
    live = query < counts[0]
    channel = tl.arange(0, padded)[None, :]
    index = (image * counts[0] + query) * heads + head  # of (B, L, h)
    first = (image * counts[1] * heads + head) * channels + channel  # of pixel 0 of the first level
    upstream = tl.load(
        grad_output + index[:, None] * channels + channel, mask=live[:, None] & (channel < channels), other=0
    ).to(sum_type)
    for level in tl.static_range(levels):
        size = (sizes[2 * level], sizes[2 * level + 1])
        for point in range(points):
            sample = (index * levels + level) * points + point
            row, column, down, right = sample_position(inputs[1] + 2 * sample, size, live, sum_type)
            weight = tl.load(inputs[2] + sample, mask=live, other=0).to(sum_type)
            grad_weight = tl.zeros([block], sum_type)
            grad_x = tl.zeros([block], sum_type)
            grad_y = tl.zeros([block], sum_type)
            for corner in tl.static_range(4):
                pixel, inside = pixel_index(row + corner // 2, column + corner % 2, size, live)
                vertical = down if corner // 2 else 1 - down
                horizontal = right if corner % 2 else 1 - right
                mask = inside[:, None] & (channel < channels)
                offset = first + pixel[:, None] * (heads * channels)
                product = tl.sum(tl.load(inputs[0] + offset, mask=mask, other=0).to(sum_type) * upstream, axis=1)
                grad_weight += vertical * horizontal * product
                grad_x += vertical * product * (1 if corner % 2 else -1)
                grad_y += horizontal * product * (1 if corner // 2 else -1)
                tl.atomic_add(
                    grads[0] + offset, (weight * vertical * horizontal)[:, None] * upstream, mask=mask, sem="relaxed"
                )
            tl.store(grads[1] + 2 * sample, weight * grad_x * size[1], mask=live)
            tl.store(grads[1] + 2 * sample + 1, weight * grad_y * size[0], mask=live)
            tl.store(grads[2] + sample, grad_weight, mask=live)
        first += size[0] * size[1] * (heads * channels)
