"""Frozen CLIPs: names, random weights, and the rows of text."""

import math
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from frozenseg.cache import TensorCache
from frozenseg.errors import ConfigError, ShapeError
from frozenseg.modeling.clip import text_classifier
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.meta_device import on_meta_device
from frozenseg.registry import CLIP
from frozenseg.vocabulary import TEMPLATES, Vocabulary


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
    assert torch.allclose(TextClassifier(clip).embed(("dog", "cat"))[1], expected, atol=1e-5)


def test_words_end_with_the_void_row() -> None:
    clip = build_clip("toy_convnext", "random")
    words = TextClassifier(clip)(Vocabulary.parse("cat,kitten; dog"), torch.full((1, clip.embed_dim), 2.0))
    assert words.embeddings.shape == (4, clip.embed_dim)
    assert words.class_index.tolist() == [0, 0, 1, 2]
    assert words.classes == 3
    assert torch.allclose(words.embeddings[-1], torch.full((clip.embed_dim,), 1 / math.sqrt(clip.embed_dim)))


def test_the_text_classifier_remembers_the_vocabularies_used_last(monkeypatch: pytest.MonkeyPatch) -> None:
    classifier, void = TextClassifier(clip := build_clip("toy_convnext", "random")), torch.ones(1, 64)
    encoded: list[tuple[str, ...]] = []
    embed = classifier.embed
    monkeypatch.setattr(classifier, "embed", lambda names: encoded.append(names) or embed(names))
    monkeypatch.setattr(text_classifier, "REMEMBERED", 2)
    for name in ("cat", "dog", "cat", "cow", "cat", "dog"):
        first = classifier(Vocabulary.parse(name), void)
    assert encoded == [("cat",), ("dog",), ("cow",), ("dog",)]  # the third one has displaced the dog
    assert torch.equal(first.embeddings, TextClassifier(clip)(Vocabulary.parse("dog"), void).embeddings)


def test_the_void_embedding_has_the_width_of_the_joint_space() -> None:
    with pytest.raises(ShapeError, match=r"void has shape \(1, 3\), expected \(1, E=64\)"):
        TextClassifier(build_clip("toy_convnext", "random"))(Vocabulary.parse("cat"), torch.ones(1, 3))


def test_rows_from_disk_are_the_rows(tmp_path: Path) -> None:
    clip = build_clip("toy_convnext", "random")
    fresh = TextClassifier(clip, TensorCache(tmp_path)).embed(("cat", "dog"))
    assert len(list(tmp_path.iterdir())) == 1

    def refuse(tokens: torch.Tensor) -> torch.Tensor:
        raise AssertionError("encoded again")

    clip.encode_text = refuse
    assert torch.equal(TextClassifier(clip, TensorCache(tmp_path)).embed(("cat", "dog")), fresh)


def test_another_activation_has_rows_of_its_own(tmp_path: Path) -> None:
    clips = [build_clip(name, "random") for name in ("RN50", "RN50-quickgelu")]
    assert clips[0].weights_hash() == clips[1].weights_hash()
    first, second = (TextClassifier(clip, TensorCache(tmp_path)).embed(("cat",)) for clip in clips)
    assert not torch.allclose(first, second)


def test_rows_of_a_block_do_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    clip, names = build_clip("toy_convnext", "random"), ("cat", "a very long name of a dog", "sea", "big tree", "x")
    together = TextClassifier(clip).embed(names)
    monkeypatch.setattr(text_classifier, "BLOCK", 2)
    assert torch.allclose(TextClassifier(clip).embed(names), together, atol=1e-6)


@pytest.mark.parametrize(
    ("model", "weights", "message"),
    [
        ("convnext_larg_d_320", "random", "Did you mean 'convnext_large_d_320'.* 'hf-hub:ORG/REPO'"),
        ("RN50", "random:x", "must be a whole number"),
        ("ViT-B-32", "random", "No CLIP family reads the trunk"),
        ("coca_base", "random", "has a separate text tower"),
        ("roberta-ViT-B-32", "random", "has a separate text tower"),
    ],
)
def test_wrong_architectures(model: str, weights: str, message: str) -> None:
    with on_meta_device(), pytest.raises(ConfigError, match=message):
        build_clip(model, weights)


def test_a_family_can_be_insisted_on() -> None:
    assert type(build_clip("toy_resnet", "random", "ResNetCLIP")) is CLIP.get("ResNetCLIP")
    with pytest.raises(ConfigError, match="Unknown CLIP family 'ResNet'"):
        build_clip("toy_resnet", "random", "ResNet")
