"""Weights with few rows of the token embedding: the same embeddings for known names, and one warning for others."""

import logging
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from frozenseg.errors import CheckpointError
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.clip.text_classifier import TextClassifier
from frozenseg.modeling.clip.token_rows import IDS, ROWS, keep_token_rows
from frozenseg.modeling.pretrained import TOYWORLD_CLIP
from frozenseg.toyworld.categories import all_categories
from frozenseg.vocabulary import Vocabulary
from lab.pretraining.sentences import tokens_of_sentences

KNOWN = tuple(name for category in all_categories() for name in category.names)


@pytest.fixture(scope="module")
def whole():
    return build_clip(TOYWORLD_CLIP, "random:1")


@pytest.fixture(scope="module")
def file(whole, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("weights") / "clip.safetensors"
    save_file(keep_token_rows(whole.clip_model.state_dict(), tokens_of_sentences(whole.tokenizer)), path)
    return path


def test_known_names_have_the_same_embeddings(whole, file: Path):
    few = build_clip(TOYWORLD_CLIP, str(file))
    assert whole.knows_all_tokens
    assert not few.knows_all_tokens
    assert len(load_file(file)[ROWS]) < 100
    assert torch.equal(TextClassifier(few).embed(KNOWN), TextClassifier(whole).embed(KNOWN))
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(few(images).dense, whole(images).dense)
    assert few.clip_model.token_embedding.weight.shape == whole.clip_model.token_embedding.weight.shape


def test_unknown_names_are_warned_of_once_and_all_alike(file: Path, caplog):
    classifier = TextClassifier(build_clip(TOYWORLD_CLIP, str(file)))
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            classifier(
                Vocabulary((("red circle",), ("giraffe",), ("zebra", "red zebra")), (True, True, True)),
                torch.zeros(1, 64),
            )
    [message] = [record.getMessage() for record in caplog.records]
    assert "has no weights for 3 of 4 names, 'giraffe', 'zebra', 'red zebra'" in message
    caplog.clear()
    classifier(Vocabulary(tuple((name,) for name in KNOWN), (True,) * len(KNOWN)), torch.zeros(1, 64))
    assert not caplog.records


@pytest.mark.parametrize("change", [{ROWS: torch.zeros(3, 64)}, {IDS: torch.tensor([0, 49408])}])
def test_rows_that_do_not_fit_are_refused(file: Path, tmp_path: Path, change: dict[str, torch.Tensor]):
    weights = load_file(file)
    few = {ROWS: weights[ROWS][:2].clone(), IDS: weights[IDS][:2].clone()}
    save_file({**weights, **few, **change}, tmp_path / "clip.safetensors")
    with pytest.raises(CheckpointError, match="cannot be loaded .*use weights of that architecture"):
        build_clip(TOYWORLD_CLIP, str(tmp_path / "clip.safetensors"))
