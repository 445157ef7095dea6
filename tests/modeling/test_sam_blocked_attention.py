"""SAM's attention in blocks, and as one fused kernel, against that of the segment-anything package."""

import pytest
import torch
from segment_anything.modeling.image_encoder import Attention

from frozenseg.modeling.sam import blocked_attention
from frozenseg.modeling.sam.vit import vit_sam

SIZE = (5, 7)


def attention(kind: type[Attention]) -> Attention:
    """Return an attention of 2 heads with random relative positions, the same for every kind."""
    torch.manual_seed(0)
    module = kind(16, 2, use_rel_pos=True, input_size=SIZE)
    for parameter in (module.rel_pos_h, module.rel_pos_w):
        torch.nn.init.normal_(parameter)
    return module.requires_grad_(False)


@pytest.mark.parametrize("scores", [1, 40, 100, 35 * 35 * 3, 2**20])  # of a block: one row … all heads
def test_blocks_of_any_size_give_the_packages_results(scores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocked_attention, "SCORES_OF_BLOCK", scores)
    x = torch.randn(3, *SIZE, 16)
    expected = attention(Attention)(x)
    with torch.no_grad():
        torch.testing.assert_close(attention(blocked_attention.BlockedAttention)(x), expected, rtol=1e-5, atol=1e-6)


def test_the_fused_kernel_gives_the_results_of_the_blocks() -> None:
    query, key, value = torch.randn(3, 4, 35, 8)
    rows, columns = torch.randn(4, 35, 5), torch.randn(4, 35, 7)
    blocks, fused = (
        attend(query, key, value, rows, columns)
        for attend in (blocked_attention._attend_in_blocks, blocked_attention._attend_fused)
    )
    torch.testing.assert_close(fused, blocks, rtol=1e-5, atol=1e-6)


def test_training_has_the_packages_gradients() -> None:
    x = torch.randn(1, *SIZE, 16, requires_grad=True)
    plain, blocked = (
        torch.autograd.grad(attention(kind)(x).square().sum(), x)[0]
        for kind in (Attention, blocked_attention.BlockedAttention)
    )
    torch.testing.assert_close(blocked, plain)


def test_every_layer_of_sam_attends_in_blocks_with_the_weights_that_it_had() -> None:
    sam = vit_sam(width=16, depth=2, heads=2, global_attention=(1,), image_size=64, window=3, channels=16)
    encoder = sam.image_encoder
    assert all(isinstance(layer.attn, blocked_attention.BlockedAttention) for layer in encoder.blocks)
    assert not any(parameter.is_meta for parameter in encoder.parameters())
    assert [len(layer.attn.rel_pos_h) for layer in encoder.blocks] == [2 * 3 - 1, 2 * 4 - 1]
