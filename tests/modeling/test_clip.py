"""Frozen CLIPs: every family on a tiny stand-in with the real code path, text rows, weights and their errors."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from frozenseg.cache import TensorCache
from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.modeling.clip import text_classifier
from frozenseg.modeling.clip.base import FrozenCLIP
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.registry import CLIP
from frozenseg.vocabulary import TEMPLATES, Vocabulary

STAND_INS = {"ConvNeXtCLIP": "toy_convnext", "ResNetCLIP": "toy_resnet"}


@pytest.fixture(scope="module", params=sorted(STAND_INS))
def clip(request: pytest.FixtureRequest) -> FrozenCLIP:
    return build_clip(STAND_INS[request.param], "random:1")


def test_every_family_has_a_stand_in() -> None:
    assert CLIP.names() == sorted(STAND_INS)


def test_the_family_is_recognised(clip: FrozenCLIP) -> None:
    assert STAND_INS[type(clip).__name__] in ("toy_convnext", "toy_resnet")
    others = [CLIP.get(name) for name in CLIP.names() if CLIP.get(name) is not type(clip)]
    assert type(clip).supports(clip.clip_model)
    assert not any(other.supports(clip.clip_model) for other in others)


def test_maps_have_the_strides_and_channels_that_they_say(clip: FrozenCLIP) -> None:
    features = clip(torch.randn(2, 3, 64, 96))
    for level, stride in enumerate((4, 8, 16, 32)):
        assert features[level].shape == (2, clip.channels[level], 64 // stride, 96 // stride)
    assert features.dense.shape == features.res5.shape


def test_projecting_the_whole_map_is_clips_own_image_embedding(clip: FrozenCLIP) -> None:
    size = clip.clip_model.visual.image_size
    side = size if isinstance(size, int) else size[0]
    images = torch.randn(2, 3, side, side)
    dense = clip(images).dense
    everywhere = torch.ones(2, 1, *dense.shape[-2:])
    if hasattr(clip.clip_model.visual, "attnpool"):
        expected = clip.clip_model.encode_image(images)
        # CLIP's own pool also attends to the mean; ours attends to the pixels inside the mask only
        assert F.cosine_similarity(clip.project(dense, everywhere)[:, 0], expected).min() > 0.9
    else:
        pooled = clip.clip_model.visual.trunk.head(dense.mean((2, 3), keepdim=True)).flatten(1)
        assert torch.allclose(clip.project(dense, everywhere)[:, 0], clip.clip_model.visual.head(pooled), atol=1e-5)


def test_an_empty_mask_gives_a_finite_vector(clip: FrozenCLIP) -> None:
    dense = clip(torch.randn(1, 3, 64, 64)).dense
    vector = clip.project(dense, -torch.ones(1, 2, *dense.shape[-2:]))
    assert vector.shape == (1, 2, clip.embed_dim)
    assert vector.isfinite().all()


def test_cutting_after_the_last_end_token_changes_nothing(clip: FrozenCLIP) -> None:
    tokens = clip.tokenizer(["a cat", "a photo of a very long striped blue star in the scene"])
    assert torch.allclose(clip.encode_text(tokens), clip.clip_model.encode_text(tokens), atol=1e-5)


def test_it_stays_frozen(clip: FrozenCLIP) -> None:
    clip.train()
    assert not any(module.training for module in clip.modules())
    assert not any(parameter.requires_grad for parameter in clip.parameters())
    assert not clip(torch.randn(1, 3, 32, 32, requires_grad=True)).res5.requires_grad


def test_random_weights_are_the_same_every_time_and_differ_by_seed() -> None:
    torch.manual_seed(7)
    state = torch.get_rng_state()
    hashes = [build_clip("toy_convnext", weights).weights_hash() for weights in ("random", "random:0", "random:1")]
    assert hashes[0] == hashes[1] != hashes[2]
    assert torch.equal(torch.get_rng_state(), state)  # building draws nothing from the caller's generator


def test_rows_follow_the_formula() -> None:
    clip = build_clip("toy_convnext", "random")
    features = clip.clip_model.encode_text(clip.tokenizer([template.format("cat") for template in TEMPLATES]))
    expected = F.normalize(F.normalize(features, dim=-1).mean(dim=0), dim=-1)
    assert torch.allclose(TextClassifier(clip).rows(("dog", "cat"))[1], expected, atol=1e-5)


def test_words_end_with_the_void_row() -> None:
    clip = build_clip("toy_convnext", "random")
    words = TextClassifier(clip)(Vocabulary.parse("cat,kitten; dog"), torch.full((1, clip.embed_dim), 2.0))
    assert words.rows.shape == (4, clip.embed_dim)
    assert words.class_of_row.tolist() == [0, 0, 1, 2]
    assert words.classes == 3
    assert torch.allclose(words.rows[-1], torch.full((clip.embed_dim,), 1 / math.sqrt(clip.embed_dim)))


def test_rows_from_disk_are_the_rows(tmp_path: Path) -> None:
    clip = build_clip("toy_convnext", "random")
    fresh = TextClassifier(clip, TensorCache(tmp_path)).rows(("cat", "dog"))
    assert len(list(tmp_path.iterdir())) == 1

    def refuse(tokens: torch.Tensor) -> torch.Tensor:
        raise AssertionError("encoded again")

    clip.encode_text = refuse
    assert torch.equal(TextClassifier(clip, TensorCache(tmp_path)).rows(("cat", "dog")), fresh)


def test_rows_of_a_block_do_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clip, names = build_clip("toy_convnext", "random"), ("cat", "a very long name of a dog", "sea", "big tree", "x")
    together = TextClassifier(clip).rows(names)
    monkeypatch.setattr(text_classifier, "BLOCK", 2)
    assert torch.allclose(TextClassifier(clip).rows(names), together, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "weights", "error", "message"),
    [
        ("convnext_larg_d_320", "random", ConfigError, "Did you mean 'convnext_large_d_320'"),
        ("RN50", "opena", ConfigError, "Did you mean 'openai'"),
        ("RN50", "random:x", ConfigError, "must be a whole number"),
        ("ViT-B-32", "random", ConfigError, "No CLIP family reads the trunk"),
    ],
)
def test_wrong_names(model: str, weights: str, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build_clip(model, weights)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = tmp_path / "clip.pt"
    file.write_bytes(b"not weights")
    with pytest.raises(CheckpointError, match=r"clip\.pt.*cannot be loaded"):
        build_clip("toy_convnext", str(file))
