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
        self,
        target: Tensor,
        memory: Tensor,
        *,
        target_position: Tensor,
        memory_position: Tensor | None,
        blocked: Tensor | None = None,
    ) -> Tensor:
        """Attend.

        Args:
            target: (B, Q, d) queries.
            memory: (B, S, d) values, and keys before their position is added.
            target_position: (B or 1, Q, d).
            memory_position: (B or 1, S, d); None adds none.
            blocked: (B·h, Q, S) bool, True where a query must not attend; None blocks nothing.

        Returns:
            (B, Q, d).

        Raises:
            ShapeError: a tensor of another shape.
        """
        check_shape("target", target, "B Q d")
        check_shape("memory", memory, "B S d", B=target.shape[0], d=target.shape[2])
        keys = memory if memory_position is None else memory + memory_position
        attended, _ = self.multihead_attn(target + target_position, keys, memory, attn_mask=blocked, need_weights=False)
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
        attended, _ = self.self_attn(positioned, positioned, target, need_weights=False)
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


def _xavier(module: nn.Module) -> None:
    for parameter in module.parameters():
        if parameter.dim() > 1:
            nn.init.xavier_uniform_(parameter)
