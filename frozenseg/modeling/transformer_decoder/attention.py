"""Post-norm blocks of a decoder layer: cross-attention, self-attention and feed-forward network (Mask2Former).

Letters: B images, Q queries, S keys (pixels), d width, h heads.
"""

import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.structures.shapes import check_shape


class CrossAttention(nn.Module):
    """Attention from queries to a map, then dropout, residual and LayerNorm.

    Args:
        width: d.
        heads: h.
        dropout: probability, 0-1.
    """

    def __init__(self, *, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.multihead_attn = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        _xavier(self)

    def forward(
        self, target: Tensor, keys: Tensor, values: Tensor, *, target_position: Tensor, visible: Tensor | None = None
    ) -> Tensor:
        """Attend.

        Args:
            target: (B, Q, d) queries.
            keys: (B, S, d), with their position.
            values: (B, S, d).
            target_position: (B or 1, Q, d).
            visible: (B, Q, S) bool, True where a query attends; None lets all queries attend to all keys.

        Returns:
            (B, Q, d).

        Raises:
            ShapeError: a tensor of another shape.
        """
        check_shape("target", target, "B Q d")
        check_shape("keys", keys, "B S d", B=target.shape[0], d=target.shape[2])
        check_shape("values", values, "B S d", B=target.shape[0], S=keys.shape[1], d=target.shape[2])
        attended = attend(self.multihead_attn, target + target_position, keys, values, visible)
        return self.norm(target + self.dropout(attended))


class SelfAttention(nn.Module):
    """Attention among the queries, then dropout, residual and LayerNorm.

    Args:
        width: d.
        heads: h.
        dropout: probability, 0-1.
    """

    def __init__(self, *, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.self_attn = nn.MultiheadAttention(width, heads, dropout=dropout, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        _xavier(self)

    def forward(self, target: Tensor, position: Tensor) -> Tensor:
        """Map queries (B, Q, d) with position (B or 1, Q, d) to the same shape."""
        positioned = target + position
        attended = attend(self.self_attn, positioned, positioned, target)
        return self.norm(target + self.dropout(attended))


class FeedForward(nn.Module):
    """Two linear layers with ReLU between them, then dropout, residual and LayerNorm.

    Args:
        width: d.
        hidden: hidden width.
        dropout: probability, 0-1.
    """

    def __init__(self, *, width: int, hidden: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear1 = nn.Linear(width, hidden)
        self.linear2 = nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(dropout)
        _xavier(self)

    def forward(self, target: Tensor) -> Tensor:
        """Map (B, Q, d) to the same shape."""
        hidden = self.dropout(F.relu(self.linear1(target)))
        return self.norm(target + self.dropout(self.linear2(hidden)))


def attend(
    attention: nn.MultiheadAttention, queries: Tensor, keys: Tensor, values: Tensor, visible: Tensor | None = None
) -> Tensor:
    """Return what PyTorch's module returns, with one mask for all heads instead of a copy for each.

    Args:
        attention: the projections.
        queries: (B, Q, d).
        keys: (B, S, d).
        values: (B, S, d).
        visible: (B, Q, S) bool, True where a query attends; None lets all queries attend to all keys.

    Returns:
        (B, Q, d).
    """
    weights = attention.in_proj_weight.chunk(3)  # d×d each
    biases = attention.in_proj_bias.chunk(3)
    query, key, value = (
        F.linear(x, weight, bias)
        .view(x.shape[0], -1, attention.num_heads, attention.head_dim)
        .transpose(1, 2)  # (B, h, …, d/h)
        for x, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    )
    attended = F.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=None if visible is None else visible[:, None],
        dropout_p=attention.dropout if attention.training else 0.0,
    )  # (B, h, Q, d/h)
    output: Tensor = attention.out_proj(attended.transpose(1, 2).flatten(2))
    return output


def visible_pixels(masks: Tensor) -> Tensor:
    """Return (B, Q, S) bool, True inside of the masks (B, Q, h, w); the query of an empty mask sees all pixels."""
    visible = (masks.sigmoid() >= 0.5).flatten(2)  # (B, Q, h·w)
    return visible | ~visible.any(dim=-1, keepdim=True)


def _xavier(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
