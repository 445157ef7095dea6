"""Multi-scale deformable attention on the CPU as a sum of table rows, with a backward pass by sorting.

A bilinear sample is a weighted sum of four pixels, so the output of a query and head is a weighted sum of 4·n·P rows of
the value table: one ``embedding_bag``, which reads the rows in place. Each level is padded by one pixel of zeros, so
that samples outside need no test:

    table of a 2 × 3 level      0 0 0 0 0      corner of a sample     top left      top right
                                0 a b c 0      (index + …)            0             1
                                0 d e f 0                             bottom left   bottom right
                                0 0 0 0 0                             width + 2     width + 3

The gradient of the values adds many rows to few: the samples are sorted by their top left corner, and the rows of each
corner are again one ``embedding_bag``.

Letters: B images, S pixels of all levels together, T the same with padding, L queries, h heads, k channels per head,
n levels, P points, R queries of one block.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

SAMPLES_OF_BLOCK = 2**17  # intermediate tensors of a block of queries stay in the cache
BAGS_OF_BLOCK = 512  # the same for the sampled rows of the backward pass


def ms_deform_attn_bag(value: Tensor, shapes: Sequence[tuple[int, int]], locations: Tensor, weights: Tensor) -> Tensor:
    """Sample the values of each level and sum them by weight, as :func:`ms_deform_attn_torch` does.

    Args:
        value: (B, S, h, k) float32 or float64, the levels concatenated, each in row-major order.
        shapes: (height, width) of each of the n levels; their areas sum to S.
        locations: (B, L, h, n, P, 2) x, y in 0 … 1 of the level's extent; values outside are zero.
        weights: (B, L, h, n, P) attention weights.

    Returns:
        (B, L, h·k).
    """
    output: Tensor = _BagAttention.apply(value, tuple(shapes), locations, weights)
    return output


class _BagAttention(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, value: Tensor, shapes: tuple[tuple[int, int], ...], locations: Tensor, weights: Tensor
    ) -> Tensor:
        ctx.save_for_backward(value, locations, weights)
        ctx.shapes = shapes
        batch, length, heads = weights.shape[:3]
        table = PaddedTable(shapes, value, points=weights.shape[-1])
        rows = table.rows(value)  # (B·T·h, k)
        output = value.new_empty(batch * length * heads, value.shape[-1])
        for block in table.blocks(locations):
            corners = table.corners(block, locations)
            bags = F.embedding_bag(
                table.indices(corners.top_left).flatten(2).flatten(0, 1),  # (R·h, 4·n·P)
                rows,
                mode="sum",
                per_sample_weights=_corner_weights(corners, weights.flatten(0, 1)[block]).flatten(2).flatten(0, 1),
            )
            output[block.start * heads : block.stop * heads] = bags
        return output.view(batch, length, -1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, Tensor, Tensor]:
        value, locations, weights = ctx.saved_tensors
        table = PaddedTable(ctx.shapes, value, points=weights.shape[-1])
        rows = table.rows(value)
        gradient = gradient.reshape(-1, value.shape[-1])  # (B·L·h, k)
        flat_weights = weights.flatten(0, 1)  # (B·L, h, n, P)
        weight_gradient, location_gradient = torch.empty_like(flat_weights), torch.empty_like(locations.flatten(0, 1))
        cells = rows.new_empty(len(flat_weights), flat_weights[0].numel(), dtype=table.index_dtype)  # (B·L, h·n·P)
        coefficients = rows.new_empty(4, *cells.shape)
        heads = weights.shape[2]
        for block in table.blocks(locations):
            corners = table.corners(block, locations)
            of_block = gradient[block.start * heads : block.stop * heads]  # (R·h, k)
            products = _products(rows, table.indices(corners.top_left), of_block)  # (R, h, 4, n·P)
            of_weights, of_locations = _sample_gradients(corners, products, flat_weights[block], table)
            weight_gradient[block], location_gradient[block] = of_weights, of_locations
            cells[block] = corners.top_left
            coefficients[:, block] = _corner_weights(corners, flat_weights[block]).movedim(2, 0).flatten(2)
        value_gradient = table.scatter(cells, coefficients, gradient)
        return value_gradient, None, location_gradient.view_as(locations), weight_gradient.view_as(weights)


class Corners(NamedTuple):
    """Four pixels around each sample of a block of queries."""

    top_left: Tensor  # (R, h·n·P) integer, row of the padded table
    x: Tensor  # (R, h·n·P) 0-1, distance from the left pixels
    y: Tensor  # (R, h·n·P) 0-1, distance from the upper pixels
    x_inside: Tensor  # (R, h·n·P) bool, False where x is farther than one pixel outside of the map
    y_inside: Tensor  # (R, h·n·P) bool


class PaddedTable:
    """Layout of the values with one pixel of zeros around each level, one row for each image, pixel and head.

    Args:
        shapes: (height, width) of each level.
        value: (B, S, h, k).
        points: P.
    """

    def __init__(self, shapes: Sequence[tuple[int, int]], value: Tensor, points: int) -> None:
        self.shapes, self.points = shapes, points
        self.batch, _, self.heads, self.channels = value.shape
        self.areas = [(height + 2) * (width + 2) for height, width in shapes]  # sum to T
        self.image_rows = sum(self.areas) * self.heads
        self.index_dtype = torch.int32 if self.batch * self.image_rows < 2**31 else torch.int64
        self.heights, self.widths = (
            self._of_samples([shape[axis] for shape in shapes], value.dtype) for axis in (0, 1)
        )
        self.row_step = self._of_samples([(width + 2) * self.heads for _, width in shapes], self.index_dtype)
        starts = [sum(self.areas[:level]) for level in range(len(shapes))]
        origins = [start + width + 3 for start, (_, width) in zip(starts, shapes, strict=True)]  # pixel (0, 0)
        head = torch.arange(self.heads, dtype=self.index_dtype).repeat_interleave(len(shapes) * points)
        self.origin = self._of_samples(origins, self.index_dtype) * self.heads + head

    def _of_samples(self, of_levels: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Repeat one number a level for each sample of a query, (h·n·P,)."""
        return torch.tensor(of_levels, dtype=dtype).repeat_interleave(self.points).repeat(self.heads)

    def rows(self, value: Tensor) -> Tensor:
        """Return the padded table, (B·T·h, k)."""
        padded = [
            F.pad(level.reshape(self.batch, height, width, -1), (0, 0, 1, 1, 1, 1)).flatten(1, 2)
            for level, (height, width) in zip(torch.split(value, _areas(self.shapes), dim=1), self.shapes, strict=True)
        ]
        return torch.cat(padded, dim=1).view(-1, self.channels)

    def blocks(self, locations: Tensor) -> Iterator[slice]:
        """Return blocks of the B·L queries."""
        queries = locations.shape[0] * locations.shape[1]
        size = max(1, SAMPLES_OF_BLOCK // len(self.origin))
        return (slice(first, min(first + size, queries)) for first in range(0, queries, size))

    def corners(self, block: slice, locations: Tensor) -> Corners:
        """Find the pixels around the samples of a block of queries; locations are (B, L, h, n, P, 2)."""
        of_block = locations.flatten(0, 1)[block].flatten(1, 3)  # (R, h·n·P, 2)
        left, x, x_inside = _along_axis(of_block[..., 0], self.widths)
        top, y, y_inside = _along_axis(of_block[..., 1], self.heights)
        top_left = top.to(self.index_dtype).mul_(self.row_step).add_(left, alpha=self.heads).add_(self.origin)
        image = torch.arange(block.start, block.stop) // locations.shape[1]
        top_left.add_((image * self.image_rows).to(self.index_dtype)[:, None])
        return Corners(top_left, x, y, x_inside, y_inside)

    def indices(self, top_left: Tensor) -> Tensor:
        """Return the rows of all four corners of each sample (R, h·n·P), as (R, h, 4, n·P)."""
        first = torch.unflatten(top_left, 1, (self.heads, -1))
        indices = first.new_empty(len(first), self.heads, 4, first.shape[-1])
        indices[:, :, 0] = first
        torch.add(first, self.heads, out=indices[:, :, 1])
        torch.add(first, self.row_step.view(self.heads, -1), out=indices[:, :, 2])
        torch.add(indices[:, :, 2], self.heads, out=indices[:, :, 3])
        return indices

    def scatter(self, cells: Tensor, coefficients: Tensor, gradient: Tensor) -> Tensor:
        """Add the gradients of all samples to the pixels at their corners.

        Args:
            cells: (B·L, h·n·P) row of the top left corner.
            coefficients: (4, B·L, h·n·P) weight of each corner.
            gradient: (B·L·h, k) of the output.

        Returns:
            (B, S, h, k).
        """
        cells, order = torch.sort(cells.flatten(), stable=True)  # stable: sums do not depend on the sort
        starts = torch.searchsorted(cells, torch.arange(self.batch * self.image_rows, dtype=cells.dtype))
        bags = (order // (len(self.shapes) * self.points)).to(self.index_dtype)  # row of the gradient
        starts = starts.to(self.index_dtype)
        corner_sums = []  # (B, T, h·k), by corner
        for of_corner in coefficients.flatten(1):
            ordered = of_corner.index_select(0, order)  # several times faster than of_corner[order]
            sums = F.embedding_bag(bags, gradient, starts, mode="sum", per_sample_weights=ordered)
            corner_sums.append(sums.view(self.batch, -1, self.heads * self.channels))
        levels = []
        of_levels = torch.split(torch.stack(corner_sums), self.areas, dim=2)
        for of_level, (height, width) in zip(of_levels, self.shapes, strict=True):
            maps = torch.unflatten(of_level, 2, (height + 2, width + 2))  # (4, B, height + 2, width + 2, h·k)
            pixels = maps[0, :, 1:-1, 1:-1] + maps[1, :, 1:-1, :-2] + maps[2, :, :-2, 1:-1] + maps[3, :, :-2, :-2]
            levels.append(pixels.flatten(1, 2))
        return torch.unflatten(torch.cat(levels, dim=1), -1, (self.heads, -1))


def _areas(shapes: Sequence[tuple[int, int]]) -> list[int]:
    return [height * width for height, width in shapes]


def _along_axis(locations: Tensor, sizes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pixel before each sample, the distance from it, and whether the sample may touch the map.

    Args:
        locations: (R, h·n·P) in 0 … 1 of the level's extent.
        sizes: (h·n·P,) pixels of the level.
    """
    coordinates = torch.mul(locations, sizes).sub_(0.5)
    clamped = torch.minimum(coordinates.clamp(min=-1), sizes)
    # Clamped as integers, because NaN has no index; its distance remains NaN, and so does the output.
    before = torch.minimum(clamped.floor().to(torch.int32).clamp_(min=-1), (sizes - 1).to(torch.int32))
    return before, clamped - before, coordinates == clamped


def _corner_weights(corners: Corners, weights: Tensor) -> Tensor:
    """Multiply the attention weights (R, h, n, P) by the bilinear weight of each corner, (R, h, 4, n·P)."""
    weights = weights.flatten(2)  # (R, h, n·P)
    x, y = corners.x.view_as(weights), corners.y.view_as(weights)
    lower = weights * y
    upper = weights - lower
    output = weights.new_empty(*weights.shape[:2], 4, weights.shape[2])
    torch.mul(upper, x, out=output[:, :, 1])
    torch.sub(upper, output[:, :, 1], out=output[:, :, 0])
    torch.mul(lower, x, out=output[:, :, 3])
    torch.sub(lower, output[:, :, 3], out=output[:, :, 2])
    return output


def _products(rows: Tensor, indices: Tensor, gradient: Tensor) -> Tensor:
    """Multiply the gradient (R·h, k) of each query and head by the rows of its corners, (R, h, 4, n·P)."""
    bags = indices.flatten(2).flatten(0, 1)  # (R·h, 4·n·P)
    products = rows.new_empty(bags.shape)
    for first in range(0, len(bags), BAGS_OF_BLOCK):
        block = slice(first, first + BAGS_OF_BLOCK)
        sampled = F.embedding(bags[block], rows)  # (R·h, 4·n·P, k)
        torch.sum(sampled.mul_(gradient[block, None]), dim=-1, out=products[block])
    return products.view_as(indices)


def _sample_gradients(corners: Corners, products: Tensor, weights: Tensor, table: PaddedTable) -> tuple[Tensor, Tensor]:
    """Return the gradients of the weights (R, h, n, P) and of the locations (R, h, n, P, 2) of a block."""
    shape = weights.shape
    weights = weights.flatten(1)  # (R, h·n·P)
    top_left, top_right, bottom_left, bottom_right = (each.flatten(1) for each in products.unbind(2))
    upper, lower = torch.lerp(top_left, top_right, corners.x), torch.lerp(bottom_left, bottom_right, corners.x)
    locations = weights.new_empty(*weights.shape, 2)
    along_x = torch.lerp(top_right - top_left, bottom_right - bottom_left, corners.y)
    torch.mul(along_x.mul_(weights).mul_(table.widths), corners.x_inside, out=locations[..., 0])
    torch.mul((lower - upper).mul_(weights).mul_(table.heights), corners.y_inside, out=locations[..., 1])
    return torch.lerp(upper, lower, corners.y).view(shape), locations.view(*shape, 2)
