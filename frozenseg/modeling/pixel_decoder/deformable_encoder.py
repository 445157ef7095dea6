"""Deformable transformer encoder over any number of levels (Deformable DETR, Zhu et al. 2021, sec. 4.2).

Letters: B images, n levels, S pixels of all levels together, d width.
"""

from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.errors import ShapeError
from frozenseg.modeling.layers.position_encoding import sine_position
from frozenseg.modeling.layers.recompute import run_layer
from frozenseg.modeling.ops.level_parts import level_parts
from frozenseg.modeling.ops.ms_deform_attn import MSDeformAttn
from frozenseg.modeling.ops.released_read import ReleasedRead
from frozenseg.structures.shapes import check_shape


class DeformableEncoder(nn.Module):
    """Layers in which every pixel attends to learned sampling points of every level; maps keep their sizes.

    Args:
        width: d.
        levels: n that the weights are built for.
        layers: number of layers.
        heads: attention heads.
        points: sampling points per head and level.
        hidden: hidden width of the feed-forward network.
        dropout: probability, 0-1.
        released_read: see :class:`MSDeformAttn`.

    Attributes:
        recompute: see :func:`run_layer`.
    """

    recompute = False

    def __init__(
        self,
        *,
        width: int,
        levels: int,
        layers: int,
        heads: int,
        points: int,
        hidden: int,
        dropout: float = 0.0,
        released_read: ReleasedRead | None = None,
    ) -> None:
        super().__init__()
        self.width, self.levels, self.released_read = width, levels, released_read
        self.level_embed = nn.Parameter(torch.randn(levels, width))
        self.encoder = _EncoderLayers(
            EncoderLayer(
                attention=MSDeformAttn(
                    width=width, levels=levels, heads=heads, points=points, released_read=released_read
                ),
                width=width,
                hidden=hidden,
                dropout=dropout,
            )
            for _ in range(layers)
        )

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Encode maps.

        Args:
            maps: n maps (B, d, H_l, W_l).

        Returns:
            n maps of the same shapes.

        Raises:
            ShapeError: a map of another shape, or another number of levels than the encoder was built for.
        """
        self._check(maps)
        shapes = [(m.shape[-2], m.shape[-1]) for m in maps]
        features = torch.cat([m.flatten(2).transpose(1, 2) for m in maps], dim=1)  # (B, S, d)
        # not strict: with the released read there are more level embeddings than maps
        embedded = zip(maps, self.level_embed, strict=False)
        position = torch.cat(
            [sine_position(m).flatten(2).transpose(1, 2) + embedding for m, embedding in embedded], dim=1
        )  # (1, S, d)
        reference_points = pixel_centres(shapes, features)  # (1, S, n, 2)
        for layer in self.encoder.layers:
            features = run_layer(layer, features, position, reference_points, shapes, recompute=self.recompute)
        parts = zip(level_parts(features, shapes), shapes, strict=True)
        return [torch.unflatten(part.transpose(1, 2), 2, shape) for part, shape in parts]

    def _check(self, maps: Sequence[Tensor]) -> None:
        fewer_allowed = self.released_read is not None and 0 < len(maps) < self.levels
        if len(maps) != self.levels and not fewer_allowed:
            raise ShapeError(f"The deformable encoder was built for {self.levels} levels and got {len(maps)}.")
        for level, features in enumerate(maps):
            check_shape(f"maps[{level}]", features, "B d H W", B=maps[0].shape[0], d=self.width)


class EncoderLayer(nn.Module):
    """Deformable self-attention and a feed-forward network, each followed by dropout, residual and LayerNorm.

    Args:
        attention: the deformable attention.
        width: d.
        hidden: hidden width of the feed-forward network.
        dropout: probability, 0-1.
    """

    def __init__(self, *, attention: MSDeformAttn, width: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.self_attn = attention
        self.norm1 = nn.LayerNorm(width)
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm2 = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)

    def forward(
        self, features: Tensor, position: Tensor, reference_points: Tensor, shapes: Sequence[tuple[int, int]]
    ) -> Tensor:
        """Map features (B, S, d) with position (1, S, d) to the same shape; see :meth:`MSDeformAttn.forward`."""
        attended = self.self_attn(features + position, reference_points, features, shapes)
        features = self.norm1(features + self.dropout(attended))
        hidden = self.dropout(F.relu(self.linear1(features)))
        return self.norm2(features + self.dropout(self.linear2(hidden)))


class _EncoderLayers(nn.Module):
    """Container that gives the layers their names in released checkpoints, ``encoder.layers``."""

    def __init__(self, layers: Iterable[EncoderLayer]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)


def pixel_centres(shapes: Sequence[tuple[int, int]], like: Tensor) -> Tensor:
    """Return the centre of each pixel as a fraction of its map, repeated for every level.

    Args:
        shapes: (height, width) of each level.
        like: tensor of the target dtype and device.

    Returns:
        (1, S, n, 2) x, y in 0 … 1.
    """
    grids = []
    for height, width in shapes:
        y = (torch.arange(height, dtype=like.dtype, device=like.device) + 0.5) / height
        x = (torch.arange(width, dtype=like.dtype, device=like.device) + 0.5) / width
        grids.append(torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).flatten(0, 1))  # (H·W, 2)
    return torch.cat(grids)[None, :, None, :].expand(-1, -1, len(shapes), -1)
