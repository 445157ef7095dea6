"""Primitives, text embeddings and mask pooling of CLIP: our modules against the formulas, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from frozenseg.modeling.classification import class_logits
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.layers.group_norm import group_norm
from frozenseg.modeling.layers.mask_pooling import mask_pooling
from frozenseg.modeling.layers.mlp import MLP
from frozenseg.modeling.layers.position_encoding import sine_position
from frozenseg.modeling.layers.resize import resize
from frozenseg.modeling.ops.point_sample import point_sample
from frozenseg.modeling.transformer_decoder.attention import CrossAttention, FeedForward, SelfAttention
from frozenseg.modeling.types import TextEmbeddings
from frozenseg.vocabulary import TEMPLATES, Vocabulary
from tests.lab.parity.formulas import primitives, text_embeddings
from tests.lab.parity.formulas.torch_side import agree, arrays, filled, float64, normal, tensor, tensors

SEEDS = (0, 1, 2)


def text(seed: int, width: int, *counts: int) -> tuple[text_embeddings.TextRows, TextEmbeddings]:
    """Return the same rows for both sides; ``counts`` synonyms a class, void is added."""
    rows = primitives.normalise(normal(seed, sum(counts) + 1, width))
    classes = torch.tensor([index for index, count in enumerate((*counts, 1)) for _ in range(count)])
    return text_embeddings.TextRows(rows, (*counts, 1)), TextEmbeddings(tensor(rows), classes, len(counts) + 1)


@pytest.mark.parametrize("seed", SEEDS)
def test_linear_norms_and_perceptron(seed: int) -> None:
    x = normal(seed, 2, 5, 24)
    for module, formula in (
        (nn.Linear(24, 7), primitives.linear),
        (nn.LayerNorm(24), primitives.layer_norm),
        (MLP(24, 16, 9, 3), primitives.perceptron),
    ):
        agree(filled(module, seed)(tensor(x)), formula(x, arrays(module)))


@pytest.mark.parametrize("width", [64, 48, 20, 7])
def test_group_norm_of_wide_and_narrow_maps(width: int) -> None:
    x = normal(3, 2, width, 3, 5)
    module = filled(group_norm(width))
    agree(module(tensor(x)), primitives.group_norm(x, arrays(module)))


@pytest.mark.parametrize(("kernel", "stride", "size"), [(1, 1, (4, 5)), (3, 1, (4, 5)), (3, 2, (5, 8)), (3, 2, (6, 7))])
def test_convolutions(kernel: int, stride: int, size: tuple[int, int]) -> None:
    x = normal(4, 2, 6, *size)
    for bias in (True, False):
        module = filled(nn.Conv2d(6, 3, kernel, stride=stride, padding=kernel // 2, bias=bias))
        agree(module(tensor(x)), primitives.conv2d(x, arrays(module), stride))


@pytest.mark.parametrize(("old", "new"), [((3, 5), (9, 10)), ((12, 7), (5, 3)), ((4, 4), (4, 4)), ((1, 3), (2, 7))])
def test_resize_and_reading_at_points(old: tuple[int, int], new: tuple[int, int]) -> None:
    maps = normal(5, 2, 3, *old)
    agree(resize(tensor(maps), new), primitives.resize(maps, new))
    points = 1.4 * np.random.default_rng(5).random((2, 40, 2)) - 0.2  # some lie outside
    expected = np.stack([primitives.sample(one, *place.T) for one, place in zip(maps, points, strict=True)])
    agree(point_sample(tensor(maps), tensor(points)), expected)


@pytest.mark.parametrize(("width", "size"), [(16, (3, 5)), (64, (1, 1)), (24, (7, 2))])
def test_sine_position(width: int, size: tuple[int, int]) -> None:
    with float64():
        agree(sine_position(torch.zeros(1, width, *size)), primitives.sine_position(width, size)[None])


@pytest.mark.parametrize("seed", SEEDS)
def test_attention_blocks(seed: int) -> None:
    """Cross-attention with a mask, self-attention and FFN, each with its residual and norm (§6)."""
    width, heads = 32, 4
    x, memory = normal(seed, 2, 6, width), normal(seed + 9, 2, 11, width)
    place, memory_place = normal(seed + 1, 2, 6, width), normal(seed + 2, 2, 11, width)
    blocked = normal(seed, 2, 6, 11) > 0.3
    blocked[..., 0] = False
    cross = filled(CrossAttention(width=width, heads=heads), seed)
    attend, weights = primitives.multi_head_attention, arrays(cross)
    own, norm = primitives.under(weights, "multihead_attn"), primitives.under(weights, "norm")
    for key_place in (memory_place, None):
        key = memory if key_place is None else memory + key_place
        expected = primitives.layer_norm(x + attend(x + place, key, memory, own, heads, blocked), norm)
        actual = cross(*tensors((x, key, memory)), target_position=tensor(place), visible=tensor(~blocked))
        agree(actual, expected)
    itself = filled(SelfAttention(width=width, heads=heads), seed)
    own, norm = (primitives.under(arrays(itself), name) for name in ("self_attn", "norm"))
    agree(itself(*tensors((x, place))), primitives.layer_norm(x + attend(x + place, x + place, x, own, heads), norm))
    forward = filled(FeedForward(width=width, hidden=48), seed)
    first, second, norm = (primitives.under(arrays(forward), name) for name in ("linear1", "linear2", "norm"))
    hidden = primitives.linear(primitives.relu(primitives.linear(x, first)), second)
    agree(forward(tensor(x)), primitives.layer_norm(x + hidden, norm))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("scale", [2.0, 5.0])
def test_logits_of_words(seed: int, scale: float) -> None:
    """e^5 is above the cap of 100."""
    ours, theirs = text(seed, 24, 3, 1, 2)
    x = 3 * normal(seed, 2, 5, 24)
    agree(
        class_logits(tensor(x), theirs, torch.tensor(scale, dtype=torch.float64)),
        text_embeddings.class_logits(x, ours, scale),
    )


@pytest.mark.parametrize("size", [(5, 7), (10, 14), (3, 4)])
def test_mask_pooling(size: tuple[int, int]) -> None:
    features, masks = normal(6, 2, 8, 5, 7), normal(7, 2, 4, *size)
    masks[1, 2] = -1.0  # empty
    agree(mask_pooling(*tensors((features, masks))), text_embeddings.mask_pooling(features, masks))


@pytest.fixture(scope="module", params=["toy_convnext", "toy_resnet"])
def clip(request: pytest.FixtureRequest) -> FrozenCLIP:
    return filled(build_clip(request.param, "random"))


def test_rows_of_the_text_classifier(clip: FrozenCLIP) -> None:
    """The encoded prompts are taken from the text tower as given."""
    vocabulary, void = Vocabulary.parse("cat,kitten; dog; sky,cloud,blue sky"), normal(8, 1, clip.embed_dim)
    names = ["cat", "kitten", "dog", "sky", "cloud", "blue sky"]
    with float64():
        actual = TextClassifier(clip)(vocabulary, tensor(void))
        encoded = [clip.encode_text(clip.tokenizer([one.format(name) for one in TEMPLATES])).numpy() for name in names]
    expected = text_embeddings.text_classifier(np.stack(encoded), void, (2, 1, 3))
    agree(actual.embeddings, expected.rows)
    assert actual.class_index.tolist() == [0, 0, 1, 2, 2, 2, 3]


@pytest.mark.parametrize("seed", SEEDS)
def test_projection_of_masks(clip: FrozenCLIP, seed: int) -> None:
    masks = normal(seed + 1, 2, 4, 12, 20)
    masks[1, 2] = -1.0  # empty
    with float64():
        dense = normal(seed, 2, clip.channels[-1], 3, 5)
        actual = clip.project(*tensors((dense, masks)))
    agree(actual, projected(clip, dense, masks))


def projected(clip: FrozenCLIP, dense: np.ndarray, masks: np.ndarray) -> np.ndarray:
    """Return what the formulas say of each mask; ConvNeXt's head is CLIP's own, as given."""
    visual = clip.clip_model.visual
    if hasattr(visual, "attnpool"):
        return text_embeddings.project_by_attention(dense, masks, arrays(visual.attnpool), visual.attnpool.num_heads)

    def head(pooled: np.ndarray) -> np.ndarray:
        return visual.head(visual.trunk.head(tensor(pooled)[..., None, None])).detach().numpy()

    return text_embeddings.project_pooled(dense, masks, head)


def test_an_empty_mask_gives_the_bias_of_the_output_projection() -> None:
    clip = filled(build_clip("toy_resnet", "random"))
    bias = arrays(clip.clip_model.visual.attnpool)["c_proj.bias"]
    with float64():
        dense, masks = normal(0, 1, clip.channels[-1], 3, 5), -np.ones((1, 1, 3, 5))
        agree(clip.project(*tensors((dense, masks)))[0, 0], bias)
    assert np.allclose(projected(clip, dense, masks)[0, 0], bias)
