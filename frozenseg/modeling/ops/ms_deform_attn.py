"""Deformable attention module of the pixel decoder (Deformable DETR, Zhu et al. 2021, sec. 4.1).

Letters: B images, L queries, S pixels of all levels together, d width, h heads, k = d/h channels per head, n levels,
P points.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from frozenseg.errors import ShapeError
from frozenseg.modeling.ops.deformable_attention import deformable_attention
from frozenseg.modeling.ops.released_read import ReleasedRead, read_as_released
from frozenseg.structures.shapes import check_shape


class MSDeformAttn(nn.Module):
    """Attention to a few learned sampling points of each level instead of to every pixel.

    Args:
        width: d, input and output channels.
        levels: n, number of feature levels that offsets and weights are predicted for.
        heads: h.
        points: P, sampling points per head and level.
        released_read: accept fewer levels than ``levels``, and read their offsets and weights as the released model
            does; None raises an error for another number of levels.
    """

    def __init__(
        self, *, width: int, levels: int, heads: int, points: int, released_read: ReleasedRead | None = None
    ) -> None:
        super().__init__()
        if width % heads:
            raise ShapeError(
                f"Deformable attention of width {width} cannot be split among {heads} heads; expected a width that is "
                "a multiple of the number of heads."
            )
        self.width, self.levels, self.heads, self.points = width, levels, heads, points
        self.released_read = released_read
        self.sampling_offsets = nn.Linear(width, heads * levels * points * 2)
        self.attention_weights = nn.Linear(width, heads * levels * points)
        self.value_proj = nn.Linear(width, width)
        self.output_proj = nn.Linear(width, width)
        self._initialise()

    def forward(
        self, query: Tensor, reference_points: Tensor, value: Tensor, shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Attend.

        Args:
            query: (B, L, d) features plus position.
            reference_points: (B or 1, L, n, 2) x, y in 0 … 1: the position of each query on each level.
            value: (B, S, d) features, the levels concatenated.
            shapes: (height, width) of each level.

        Returns:
            (B, L, d).

        Raises:
            ShapeError: a tensor of another shape, or another number of levels than the module was built for.
        """
        self._check(query, reference_points, value, shapes)
        batch, length, _ = query.shape
        value = self.value_proj(value).unflatten(-1, (self.heads, -1))  # (B, S, h, k)
        offsets = self.sampling_offsets(query).view(batch, length, self.heads, self.levels, self.points, 2)
        weights = self.attention_weights(query).view(batch, length, self.heads, self.levels * self.points)
        weights = weights.softmax(dim=-1).unflatten(-1, (self.levels, self.points))  # (B, L, h, n, P)
        # Contiguous, because a CPU broadcasts rows of h·n·P pairs many times faster than single pairs.
        sizes = level_sizes(shapes, reference_points)[:, None].expand(*offsets.shape[2:]).contiguous()  # x before y
        centres = reference_points[:, :, None, :, None].expand(-1, -1, 1, *offsets.shape[3:]).contiguous()
        locations = centres + offsets / sizes  # (B, L, h, n, P, 2)
        if len(shapes) != self.levels and self.released_read is not None:
            locations = read_as_released(locations, len(shapes), self.released_read)
            weights = read_as_released(weights, len(shapes), self.released_read)
        output: Tensor = self.output_proj(deformable_attention(value, shapes, locations, weights))
        return output

    def _check(self, query: Tensor, reference_points: Tensor, value: Tensor, shapes: Sequence[tuple[int, int]]) -> None:
        fewer_allowed = self.released_read is not None and len(shapes) < self.levels
        if len(shapes) != self.levels and not fewer_allowed:
            raise ShapeError(f"Deformable attention was built for {self.levels} levels and got {len(shapes)}.")
        check_shape("query", query, "B L d", d=self.width)
        check_shape("reference_points", reference_points, "B L n 2", L=query.shape[1], n=len(shapes))
        pixels = sum(height * width for height, width in shapes)
        check_shape("value", value, "B S d", B=query.shape[0], S=pixels, d=self.width)

    def _initialise(self) -> None:
        """Initialise the offsets as a ring: one direction per head, point p at distance p; all weights are equal."""
        nn.init.zeros_(self.sampling_offsets.weight)
        angle = torch.arange(self.heads, dtype=torch.float32) * (2 * math.pi / self.heads)
        direction = torch.stack([angle.cos(), angle.sin()], dim=-1)  # (h, 2)
        direction = direction / direction.abs().amax(dim=-1, keepdim=True)
        distance = torch.arange(1, self.points + 1, dtype=torch.float32)
        ring = direction[:, None, None, :] * distance[None, None, :, None]  # (h, 1, P, 2)
        with torch.no_grad():
            self.sampling_offsets.bias.copy_(ring.expand(-1, self.levels, -1, -1).flatten())
        nn.init.zeros_(self.attention_weights.weight)
        nn.init.zeros_(self.attention_weights.bias)
        for projection in (self.value_proj, self.output_proj):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)


def level_sizes(shapes: Sequence[tuple[int, int]], like: Tensor) -> Tensor:
    """Return the width and height of each level, (n, 2), filled on the device: a copy would wait for it.

    Args:
        shapes: (height, width) of each of the n levels.
        like: tensor of the target dtype and device.
    """
    extents = [like.new_full((1,), extent) for height, width in shapes for extent in (width, height)]
    return torch.cat(extents).view(len(shapes), 2)
