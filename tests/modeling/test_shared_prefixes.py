"""Text tower by shared prefixes: the embeddings of the whole tower, and the towers that it supports."""

import pytest
import torch
from torch import nn

from frozenseg.modeling.clip.base import FrozenCLIP, encode_text
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.shared_prefixes import PrefixTree, can_share_prefixes, encode_by_prefixes
from frozenseg.vocabulary import TEMPLATES

MODELS = ("toy_convnext", "toy_resnet", "toyworld_convnext")


def tokens_of(clip: FrozenCLIP) -> torch.Tensor:
    names = ("cat", "cat", "polar bear", "polar", "traffic light", "")
    return clip.tokenizer([template.format(name) for name in names for template in TEMPLATES])


@pytest.mark.parametrize("model", MODELS)
def test_embeddings_are_those_of_the_whole_tower(model: str) -> None:
    clip = build_clip(model, "random")
    tokens = tokens_of(clip)
    assert can_share_prefixes(clip.clip_model)
    with torch.no_grad():
        expected = encode_text(clip.clip_model, tokens)
    assert expected.std(dim=0).min() > 1e-3  # prompts differ
    torch.testing.assert_close(clip.encode_text(tokens), expected, atol=1e-5, rtol=1e-5)


def test_nodes_are_the_distinct_prefixes() -> None:
    tokens = torch.tensor([[7, 1, 9, 0], [7, 1, 2, 9], [7, 1, 2, 9], [7, 3, 9, 0]])
    ends = torch.tensor([2, 3, 3, 2])
    tree = PrefixTree.of(tokens, ends)
    assert tree.first.tolist() == [0, 1, 2, 6, 7, 13, 14]  # 7, 71, 719; 712, 7129; 73, 739
    assert [row[: end + 1] for row, end in zip(tree.nodes.tolist(), ends.tolist(), strict=True)] == [
        [0, 1, 2],
        [0, 1, 3, 4],
        [0, 1, 3, 4],
        [0, 5, 6],
    ]
    assert tree.ends.tolist() == [2, 4, 4, 6]


def test_the_tower_works_on_distinct_prefixes_alone() -> None:
    clip = build_clip("toy_convnext", "random")
    tokens = tokens_of(clip)
    rows = []
    hook = clip.clip_model.transformer.resblocks[0].mlp.register_forward_hook(lambda _, x, y: rows.append(len(y)))
    encode_by_prefixes(clip.clip_model, tokens)
    hook.remove()
    prefixes = {tuple(row[: i + 1]) for row in tokens.tolist() for i in range(row.index(max(row)) + 1)}
    assert rows == [len(prefixes)]


def test_a_tower_of_other_blocks_is_run_as_a_whole() -> None:
    clip = build_clip("toy_convnext", "random")
    tokens = tokens_of(clip)[:5]
    expected = clip.encode_text(tokens)

    class OtherAttention(nn.MultiheadAttention):
        """Attention of another type, whose computation is unknown."""

    clip.clip_model.transformer.resblocks[0].attn.__class__ = OtherAttention
    assert not can_share_prefixes(clip.clip_model)
    torch.testing.assert_close(clip.encode_text(tokens), expected, atol=1e-5, rtol=1e-5)
