"""Text tower that computes every prefix of a batch of sentences once.

The tower is causal: a token depends on the tokens before it only. The tokens of "a photo of a" have the same keys and
values in front of every name, so distinct prefixes are nodes of a tree, and all layers but attention work on nodes::

    sentences   a photo of a | cat .        nodes   a ─ photo ─ of ─ a ─┬─ cat ─ .
                a photo of a | dog .                                    └─ dog ─ .

Letters: N sentences, T tokens, P nodes, w width of the tower, h heads, E the width of the joint space.
"""

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from frozenseg.structures.shapes import check_shape


class PrefixTree(NamedTuple):
    """Distinct prefixes of sentences, which are sorted by their tokens."""

    nodes: Tensor  # (N, T) int64 node of each token; of no meaning after the end token
    first: Tensor  # (P,) int64 index of the first token of each node in the flattened sentences
    ends: Tensor  # (N,) int64 node of each end token

    @classmethod
    def of(cls, tokens: Tensor, ends: Tensor) -> "PrefixTree":
        """Build from sorted tokens (N, T) and the index of each end token (N,)."""
        differs = torch.ones_like(tokens, dtype=torch.bool)
        differs[1:] = (tokens[1:] != tokens[:-1]).cumsum(dim=1) > 0  # from the sentence before, up to this token
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        new = differs & (positions <= ends[:, None])  # (N, T), True at the first token of a node
        number = new.flatten().cumsum(dim=0).view_as(new) - 1
        rows = torch.arange(len(tokens), device=tokens.device)[:, None]
        row_of_first = torch.where(new, rows, 0).cummax(dim=0).values  # equal prefixes are in adjacent sentences
        nodes = number.gather(0, row_of_first)
        return cls(nodes, new.flatten().nonzero()[:, 0], nodes.gather(1, ends[:, None])[:, 0])


def can_share_prefixes(clip_model: Any) -> bool:
    """Return True if the text tower of an open_clip model is made of open_clip's standard blocks."""
    from open_clip.transformer import ResidualAttentionBlock, Transformer

    return type(clip_model.transformer) is Transformer and all(
        type(block) is ResidualAttentionBlock and type(block.attn) is nn.MultiheadAttention
        for block in clip_model.transformer.resblocks
    )


def encode_by_prefixes(clip_model: Any, tokens: Tensor) -> Tensor:
    """Encode sentences like the whole tower, each distinct prefix once.

    Args:
        clip_model: an ``open_clip.CLIP`` for which :func:`can_share_prefixes` is True.
        tokens: (N, T) int64, zero after the end token, which has the largest id.

    Returns:
        (N, E), not normalised.

    Raises:
        ShapeError: the tokens are not (N, T).
    """
    check_shape("tokens", tokens, "N T")
    rows = tokens.tolist()
    order = torch.tensor(sorted(range(len(rows)), key=rows.__getitem__), device=tokens.device)
    tokens = tokens[order]
    ends = tokens.argmax(dim=-1)  # (N,)
    tokens = tokens[:, : int(ends.max()) + 1]
    tree = PrefixTree.of(tokens, ends)
    x = clip_model.token_embedding(tokens.flatten()[tree.first])  # (P, w)
    x = x + clip_model.positional_embedding[tree.first % tokens.shape[1]]
    *blocks, last = clip_model.transformer.resblocks
    every_node = torch.arange(len(x), device=x.device)
    for block in blocks:
        x = _run_block(block, x, tree, every_node)
    x = _run_block(last, x, tree, tree.ends)  # (N, w)
    embeddings = torch.empty(len(tokens), clip_model.text_projection.shape[1], dtype=x.dtype, device=x.device)
    embeddings[order] = clip_model.ln_final(x) @ clip_model.text_projection
    return embeddings


def _run_block(block: Any, x: Tensor, tree: PrefixTree, outputs: Tensor) -> Tensor:
    """Return the output of a block for some nodes, from its input (P, w) for all."""
    attention = block.attn
    projected = F.linear(block.ln_1(x), attention.in_proj_weight, attention.in_proj_bias)  # (P, 3·w)
    sentences = projected.index_select(0, tree.nodes.flatten())  # (N·T, 3·w), on a CPU faster than by brackets
    sentences = sentences.view(*tree.nodes.shape, 3, attention.num_heads, attention.head_dim)  # (N, T, 3, h, w/h)
    query, key, value = sentences.permute(2, 0, 3, 1, 4)  # (N, h, T, w/h) each
    attended = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    attended = attended.transpose(1, 2).reshape(-1, x.shape[1]).index_select(0, tree.first[outputs])
    x = x.index_select(0, outputs) + block.ls_1(attention.out_proj(attended))
    output: Tensor = x + block.ls_2(block.mlp(block.ln_2(x)))
    return output
