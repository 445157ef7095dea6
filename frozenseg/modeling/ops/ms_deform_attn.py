"""The deformable attention module of the pixel decoder's encoders (Deformable DETR, Zhu et al. 2021, section 4.1)."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from frozenseg.errors import ShapeError
from frozenseg.modeling.ops.ms_deform_attn_torch import ms_deform_attn_torch
from frozenseg.modeling.ops.released_read import ReleasedRead, read_as_released


class MSDeformAttn(nn.Module):
    """Attention that looks at a few learned places of each level instead of at every pixel.

    Args:
        width: d, channels in and out.
        levels: n, feature levels that the offsets and weights are predicted for.
        heads: h.
        points: P, places a head samples on each level.
        released_read: admit fewer levels than built for, and read them as the released weights were trained; None
            admits no fewer.
    """

    def __init__(
        self, *, width: int, levels: int, heads: int, points: int, released_read: ReleasedRead | None = None
    ) -> None:
        super().__init__()
        if width % heads:
            raise ShapeError(f"Deformable attention of width {width} cannot be split among {heads} heads.")
        self.levels, self.heads, self.points = levels, heads, points
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
            reference_points: (B or 1, L, n, 2) x, y in 0 … 1: where each query stands on each level.
            value: (B, S, d) features of all levels, one level after the other.
            shapes: (height, width) of each level.

        Returns:
            (B, L, d).

        Raises:
            ShapeError: as many levels are not what the module was built for.
        """
        if len(shapes) != self.levels and self.released_read is None:
            raise ShapeError(f"Deformable attention was built for {self.levels} levels and got {len(shapes)}.")
        batch, length, _ = query.shape
        value = self.value_proj(value).unflatten(-1, (self.heads, -1))  # (B, S, h, k)
        offsets = self.sampling_offsets(query).view(batch, length, self.heads, self.levels, self.points, 2)
        weights = self.attention_weights(query).view(batch, length, self.heads, self.levels * self.points)
        weights = weights.softmax(dim=-1).unflatten(-1, (self.levels, self.points))  # (B, L, h, n, P)
        sizes = offsets.new_tensor([(width, height) for height, width in shapes])  # (n, 2) x before y
        locations = reference_points[:, :, None, :, None, :] + offsets / sizes[:, None, :]  # (B, L, h, n, P, 2)
        if len(shapes) != self.levels:
            locations = read_as_released(locations, len(shapes), self.released_read)
            weights = read_as_released(weights, len(shapes), self.released_read)
        return self.output_proj(ms_deform_attn_torch(value, shapes, locations, weights))

    def _initialise(self) -> None:
        """Start by looking in a ring: each head in its own direction, point p at distance p, all weights equal."""
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
