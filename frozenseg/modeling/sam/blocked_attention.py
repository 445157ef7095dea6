"""Attention of SAM's vision transformer without the whole matrix of scores: in blocks, or in one fused kernel on CUDA.

The scores of a global layer of ViT-B are 12·4096² numbers, 805 MB in float32, which the segment-anything package writes
and reads five times. A block of some query rows stays in the cache; each row of scores is complete in it, so that the
results are the same.

Letters: B images or windows, h heads, k channels per head, H×W patches, N = H·W.
"""

import torch
import torch.nn.functional as F
from segment_anything.modeling.image_encoder import Attention, ImageEncoderViT, get_rel_pos
from torch import Tensor

from frozenseg.modeling.tracing import is_traced

SCORES_OF_BLOCK = 2**20  # 4 MB in float32


class BlockedAttention(Attention):
    """Multi-head attention with decomposed relative positions (Li et al. 2022, MViTv2, sec. 4.1).

    With gradients, and while a graph is traced, it computes as the segment-anything package does.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Attend from each patch of (B, H, W, d) to all patches of its image or window; returns the same shape."""
        if torch.is_grad_enabled() or is_traced():
            plain: Tensor = super().forward(x)
            return plain
        batch, height, width, _ = x.shape
        qkv = self.qkv(x).view(batch, height * width, 3, self.num_heads, -1)  # (B, N, 3, h, k)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2)  # (B·h, N, k) each
        patches = torch.unflatten(query, 1, (height, width))  # (B·h, H, W, k)
        rows = torch.einsum("bhwk,hjk->bhwj", patches, get_rel_pos(height, height, self.rel_pos_h)).flatten(1, 2)
        columns = torch.einsum("bhwk,wjk->bhwj", patches, get_rel_pos(width, width, self.rel_pos_w)).flatten(1, 2)
        attend = _attend_fused if x.is_cuda else _attend_in_blocks
        attended = attend(query * self.scale, key, value, rows, columns)  # (B·h, N, k)
        attended = attended.view(batch, self.num_heads, height, width, -1).permute(0, 2, 3, 1, 4)
        projected: Tensor = self.proj(attended.flatten(3))
        return projected


def use_blocked_attention(encoder: ImageEncoderViT) -> None:
    """Replace the attention of every layer by :class:`BlockedAttention`, with the same parameters."""
    for layer in encoder.blocks:
        plain: Attention = layer.attn
        size = ((len(plain.rel_pos_h) + 1) // 2, (len(plain.rel_pos_w) + 1) // 2)
        with torch.device("meta"):  # its parameters are those of the plain attention
            blocked = BlockedAttention(
                plain.qkv.in_features,
                plain.num_heads,
                qkv_bias=plain.qkv.bias is not None,
                use_rel_pos=True,
                input_size=size,
            )
        blocked.load_state_dict(plain.state_dict(), assign=True)
        layer.attn = blocked


def _attend_in_blocks(query: Tensor, key: Tensor, value: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Attend in blocks of heads, or of query rows of one head.

    Args:
        query: (B·h, N, k), scaled.
        key: (B·h, N, k).
        value: (B·h, N, k).
        rows: (B·h, N, H) scores of the vertical relative positions.
        columns: (B·h, N, W) scores of the horizontal relative positions.

    Returns:
        (B·h, N, k).
    """
    heads, length, _ = query.shape
    grid = (rows.shape[2], columns.shape[2])
    heads_of_block = max(1, SCORES_OF_BLOCK // length**2)
    rows_of_block = min(length, max(1, SCORES_OF_BLOCK // length))
    output = torch.empty_like(value)
    for head in range(0, heads, heads_of_block):
        of_heads = slice(head, head + heads_of_block)
        transposed, of_values = key[of_heads].transpose(1, 2), value[of_heads]
        for row in range(0, length, rows_of_block):
            block = of_heads, slice(row, row + rows_of_block)
            scores = query[block] @ transposed  # (block of B·h, block of N, N)
            torch.unflatten(scores, 2, grid).add_(rows[block][..., None]).add_(columns[block][..., None, :])
            output[block] = scores.softmax(dim=-1) @ of_values
    return output


def _attend_fused(query: Tensor, key: Tensor, value: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Attend with one fused kernel; arguments and result as for :func:`_attend_in_blocks`."""
    positions = (rows[..., None] + columns[..., None, :]).flatten(2)  # (B·h, N, N)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=positions, scale=1.0)
