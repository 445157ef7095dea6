"""What every family of CLIP trunks promises, on a tiny stand-in with the real code path; and the full sizes' widths."""

from collections.abc import Callable

import open_clip
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.registry import CLIP

STAND_INS = {"ConvNeXtCLIP": "toy_convnext", "ResNetCLIP": "toy_resnet"}
PROMPTS = (["a"], ["", "cat"], ["a cat", "a photo of a very long striped blue star in the scene", "word " * 100])
# Embedding width and channels of res2 … res5 of every full size that open_clip describes.
RN, NEXT = "ResNetCLIP", "ConvNeXtCLIP"
FULL: dict[str, tuple[str, int, tuple[int, ...]]] = {
    "RN50": (RN, 1024, (256, 512, 1024, 2048)),
    "RN101": (RN, 512, (256, 512, 1024, 2048)),
    "RN50x4": (RN, 640, (320, 640, 1280, 2560)),
    "RN50x16": (RN, 768, (384, 768, 1536, 3072)),
    "RN50x64": (RN, 1024, (512, 1024, 2048, 4096)),
    "convnext_tiny": (NEXT, 1024, (96, 192, 384, 768)),
    "convnext_small": (NEXT, 512, (96, 192, 384, 768)),
    "convnext_base": (NEXT, 512, (128, 256, 512, 1024)),
    "convnext_base_w": (NEXT, 640, (128, 256, 512, 1024)),
    "convnext_base_w_320": (NEXT, 640, (128, 256, 512, 1024)),
    "convnext_large": (NEXT, 768, (192, 384, 768, 1536)),
    "convnext_large_d": (NEXT, 768, (192, 384, 768, 1536)),
    "convnext_large_d_320": (NEXT, 768, (192, 384, 768, 1536)),
    "convnext_xlarge": (NEXT, 1024, (256, 512, 1024, 2048)),
    "convnext_xxlarge": (NEXT, 1024, (384, 768, 1536, 3072)),
    "convnext_xxlarge_320": (NEXT, 1024, (384, 768, 1536, 3072)),
}
FULL |= {f"{name}-quickgelu": widths for name, widths in FULL.items() if name.startswith("RN")}


@pytest.fixture(scope="module", params=sorted(STAND_INS))
def clip(request: pytest.FixtureRequest) -> FrozenCLIP:
    return build_clip(STAND_INS[request.param], "random:1")


def test_every_family_has_a_stand_in() -> None:
    assert CLIP.names() == sorted(STAND_INS)


def test_the_family_is_recognised(clip: FrozenCLIP) -> None:
    assert [name for name in CLIP.names() if CLIP.get(name).supports(clip.clip_model)] == [type(clip).__name__]


@pytest.mark.parametrize(("height", "width"), [(64, 64), (64, 96), (128, 32)])
def test_maps_have_the_strides_and_channels_that_they_say(clip: FrozenCLIP, height: int, width: int) -> None:
    features, channels = clip(torch.randn(2, 3, height, width)), clip.channels
    for level, stride in enumerate((4, 8, 16, 32)):
        assert features[level].shape == (2, channels[level], height // stride, width // stride)
    assert features.dense.shape == features.res5.shape


def test_an_image_gets_the_same_maps_and_vectors_in_any_batch(clip: FrozenCLIP) -> None:
    images, masks = torch.randn(3, 3, 64, 96), torch.randn(3, 4, 2, 3)
    together, alone = clip(images), clip(images[1:2])
    assert all(torch.allclose(a[1:2], b, atol=1e-5) for a, b in zip(together, alone, strict=True))
    vectors = clip.project(together.dense, masks)
    assert torch.allclose(vectors[1:2], clip.project(alone.dense, masks[1:2]), atol=1e-5)


def mean_pooling(clip: FrozenCLIP, dense: Tensor, inside: Tensor) -> Tensor:
    mean = dense[0][:, inside].mean(dim=1)  # (c)
    visual = clip.clip_model.visual
    return visual.head(visual.trunk.head(mean.view(1, -1, 1, 1)).flatten(1))[0]


def attention_pooling(clip: FrozenCLIP, dense: Tensor, inside: Tensor) -> Tensor:
    """Run PyTorch's own attention on the pixels inside, and no others."""
    pool = clip.clip_model.visual.attnpool
    side = round((len(pool.positional_embedding) - 1) ** 0.5)
    grid = pool.positional_embedding[1:].T.reshape(1, -1, side, side)
    position = F.interpolate(grid, size=dense.shape[-2:], mode="bilinear", align_corners=False)[0]
    keys = (dense[0] + position)[:, inside].T[:, None]  # (S inside, 1, c)
    query = (dense[0].mean(dim=(1, 2)) + pool.positional_embedding[0]).view(1, 1, -1)
    layers = (pool.q_proj, pool.k_proj, pool.v_proj)
    vector, _ = F.multi_head_attention_forward(
        query, keys, keys, keys.shape[-1], pool.num_heads, None, torch.cat([layer.bias for layer in layers]),
        None, None, False, 0.0, pool.c_proj.weight, pool.c_proj.bias, training=False, need_weights=False,
        use_separate_proj_weight=True, q_proj_weight=pool.q_proj.weight, k_proj_weight=pool.k_proj.weight,
        v_proj_weight=pool.v_proj.weight,
    )  # fmt: skip
    return vector[0, 0]


POOLING: dict[str, Callable[[FrozenCLIP, Tensor, Tensor], Tensor]] = {
    "ConvNeXtCLIP": mean_pooling,
    "ResNetCLIP": attention_pooling,
}


def test_a_vector_is_pooled_from_the_pixels_of_its_mask_on_a_wide_map(clip: FrozenCLIP) -> None:
    dense = clip(torch.randn(1, 3, 96, 160)).dense  # 3×5
    masks = torch.randn(1, 3, *dense.shape[-2:])
    vectors = clip.project(dense, masks)
    for query in range(3):
        expected = POOLING[type(clip).__name__](clip, dense, masks[0, query] > 0)
        assert torch.allclose(vectors[0, query], expected, atol=1e-5)


def test_an_empty_mask_gives_a_finite_vector_and_leaves_the_others_alone(clip: FrozenCLIP) -> None:
    dense = clip(torch.randn(1, 3, 64, 64)).dense
    masks = torch.ones(1, 2, *dense.shape[-2:])
    masks[0, 0] = -1
    vectors = clip.project(dense, masks)
    assert vectors.shape == (1, 2, clip.embed_dim)
    assert vectors.isfinite().all()
    assert torch.allclose(vectors[:, 1:], clip.project(dense, masks[:, 1:]), atol=1e-6)


def test_projecting_the_whole_map_is_clips_own_image_embedding(clip: FrozenCLIP) -> None:
    size = clip.clip_model.visual.image_size
    side = size if isinstance(size, int) else size[0]
    images = torch.randn(2, 3, side, side)
    dense = clip(images).dense
    vectors = clip.project(dense, torch.ones(2, 1, *dense.shape[-2:]))[:, 0]
    expected = clip.clip_model.encode_image(images)
    # CLIP's attention pool also attends to the mean; ours attends to the pixels inside the mask only
    nearly = 0.9 if hasattr(clip.clip_model.visual, "attnpool") else 0.99999
    assert F.cosine_similarity(vectors, expected).min() > nearly


@pytest.mark.parametrize("prompts", PROMPTS, ids=["one", "empty", "ragged"])
def test_sentences_are_encoded_as_open_clip_encodes_them(clip: FrozenCLIP, prompts: list[str]) -> None:
    tokens = clip.tokenizer(prompts)
    assert torch.allclose(clip.encode_text(tokens), clip.clip_model.encode_text(tokens), atol=1e-5)


def test_it_stays_frozen(clip: FrozenCLIP) -> None:
    clip.train()
    assert not any(module.training for module in clip.modules())
    assert not any(parameter.requires_grad for parameter in clip.parameters())
    assert not clip(torch.randn(1, 3, 32, 32, requires_grad=True)).res5.requires_grad


def test_no_full_size_is_forgotten() -> None:
    described = {name for name in open_clip.list_models() if name.startswith(("RN", "convnext_"))}
    assert described <= set(FULL)


@pytest.mark.parametrize("name", sorted(FULL))
def test_full_sizes_build_with_their_published_widths(name: str) -> None:
    family, embed_dim, channels = FULL[name]
    with on_meta_device():
        clip = build_clip(name, "random")
    assert type(clip).__name__ == family
    assert clip.embed_dim == embed_dim
    features = clip(torch.zeros(1, 3, 64, 128, device="meta"))
    expected = [(1, width, 64 // stride, 128 // stride) for width, stride in zip(channels, (4, 8, 16, 32), strict=True)]
    assert [tuple(level.shape) for level in features] == [*expected, expected[-1]]
    assert clip.project(features.dense, torch.zeros(1, 5, 2, 4, device="meta")).shape == (1, 5, embed_dim)
    assert all(value.is_meta for value in clip.state_dict().values())
