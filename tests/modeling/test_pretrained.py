"""Pretrained weights by name: those in the package are small, documented, and fit one architecture only."""

import hashlib
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.modeling import pretrained
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.pretrained import TOYWORLD_CLIP, TOYWORLD_SAM, pretrained_encoder, weights_file
from frozenseg.modeling.sam.build import build_sam

MIB = 1 << 20
FROZENSEG = weights_file("toyworld")
CLIP = pretrained_encoder(pretrained.CLIP_WEIGHTS, "toyworld", TOYWORLD_CLIP)
SAM = pretrained_encoder(pretrained.SAM_WEIGHTS, "toyworld", TOYWORLD_SAM)


def test_they_are_small():
    assert CLIP.stat().st_size + SAM.stat().st_size <= 12 * MIB
    assert FROZENSEG.stat().st_size <= 6 * MIB


@pytest.mark.parametrize("file", [CLIP, SAM, FROZENSEG], ids=lambda file: file.stem)
def test_each_has_a_card_with_the_command_that_makes_it(file):
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert "`python tools/" in card
    assert "seed 0" in card
    assert "minutes" in card
    assert "| " in card


@pytest.mark.parametrize("file", [CLIP, SAM], ids=lambda file: file.stem)
def test_encoders_are_kept_in_half_precision(file):
    assert {value.dtype for value in load_file(file).values() if value.is_floating_point()} == {torch.float16}


def test_encoders_are_built_by_their_word():
    clip = build_clip(TOYWORLD_CLIP, "toyworld")
    sam = build_sam(TOYWORLD_SAM, "toyworld")
    for encoder, untrained in ((clip, build_clip(TOYWORLD_CLIP, "random")), (sam, build_sam("vit_toy", "random"))):
        start = untrained.state_dict()
        assert any(not torch.equal(value, start[name]) for name, value in encoder.state_dict().items())


def test_they_fit_no_other_architecture():
    with pytest.raises(ConfigError, match="'toyworld' are those of toyworld_convnext, not of toy_convnext: set CLIP"):
        build_clip("toy_convnext", "toyworld")
    with pytest.raises(ConfigError, match="'toyworld' are those of vit_toy, not of vit_b: set MODEL.SAM_NAME"):
        build_sam("vit_b", "toyworld")


def test_the_trained_model_says_what_it_was_trained_on():
    checkpoint = read_checkpoint("toyworld")
    assert "red circle" in checkpoint["vocabulary"]
    assert "CLIP_PRETRAINED_WEIGHTS: toyworld" in checkpoint["config"]


def test_a_path_is_no_name(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert weights_file("~/model.pth") == tmp_path / "model.pth"
    assert weights_file(tmp_path / "toyworld") == tmp_path / "toyworld"


def test_released_files_are_downloaded_once_and_checked_by_their_hash(tmp_path, monkeypatch):
    downloads = []

    def download(url, file, hash_prefix):
        downloads.append((url.rsplit("/", 1)[-1], hash_prefix))
        Path(file).write_bytes(b"")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    files = [pretrained_encoder(pretrained.SAM_WEIGHTS, "", name) for name in ("vit_b", "vit_b", "vit_t")]
    assert downloads == [("sam_vit_b_01ec64.pth", "01ec64"), ("mobile_sam.pt", "6dbb9052")]
    assert files[:2] == [tmp_path / "checkpoints/sam_vit_b_01ec64.pth"] * 2
    assert files[2] == tmp_path / "checkpoints/mobile_sam.pt"


def entry_for(file, digits):
    location = file.as_uri()
    return pretrained.Pretrained(pretrained.SAM_WEIGHTS, pretrained.RELEASED, "vit_t", location, digits)


def test_a_file_is_downloaded_if_it_has_its_hash(tmp_path, monkeypatch):
    remote = tmp_path / "remote/mobile_sam.pt"
    remote.parent.mkdir()
    remote.write_bytes(b"weights")
    digits = hashlib.sha256(b"weights").hexdigest()[:8]
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    monkeypatch.setattr(pretrained, "TABLE", (entry_for(remote, "6dbb9052"),))
    with pytest.raises(
        CheckpointError, match=rf"mobile_sam\.pt cannot be downloaded \(invalid hash .*6dbb9052.*{digits}"
    ):
        pretrained_encoder(pretrained.SAM_WEIGHTS, "", "vit_t")
    assert not (tmp_path / "hub/checkpoints/mobile_sam.pt").exists()
    monkeypatch.setattr(pretrained, "TABLE", (entry_for(remote, digits),))
    file = pretrained_encoder(pretrained.SAM_WEIGHTS, "", "vit_t")
    assert file == tmp_path / "hub/checkpoints/mobile_sam.pt"
    assert file.read_bytes() == b"weights"


def test_a_failed_download_is_one_sentence(tmp_path, monkeypatch):
    def fail(url, file, hash_prefix):
        raise OSError("no network")

    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", fail)
    message = r"sam_vit_h_4b8939\.pth cannot be downloaded \(no network\): .*set MODEL\.SAM_WEIGHTS to its path"
    with pytest.raises(CheckpointError, match=message):
        build_sam("vit_h", "")


@pytest.mark.parametrize(("weights", "seed"), [("random", 0), ("random:7", 7), ("toyworld", None), ("", None)])
def test_random_weights_name_their_seed(weights, seed):
    assert pretrained.random_seed(weights) == seed


def test_a_seed_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="'random:x': the part after 'random:' must be a whole number"):
        pretrained.random_seed("random:x")


def test_an_unknown_model_is_answered_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"Unknown pretrained model 'toyworl'\. Did you mean 'toyworld'\?"):
        pretrained.pretrained_model("toyworl")
