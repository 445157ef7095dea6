"""Pretrained weights by name: those in the package are small, documented, and fit one architecture only."""

import re
import urllib.error
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from frozenseg.errors import CheckpointError, ConfigError, DownloadError
from frozenseg.modeling import pretrained
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.model_zoo import weights
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


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("FROZENSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "cache"


@pytest.fixture
def downloads(monkeypatch):
    remotes = []

    def download(remote):
        remotes.append((remote.url.rsplit("/", 1)[-1], remote.sha256))
        remote.path.parent.mkdir(parents=True, exist_ok=True)
        remote.path.write_bytes(b"")
        return remote.path

    monkeypatch.setattr(weights, "download_once", download)
    return remotes


def test_released_encoders_are_downloaded_once_with_their_hash(cache, downloads):
    files = [pretrained_encoder(pretrained.SAM_WEIGHTS, "", name) for name in ("vit_b", "vit_b", "vit_t")]
    assert downloads == [("sam_vit_b_01ec64.pth", "01ec64"), ("mobile_sam.pt", "6dbb9052")]
    assert files[:2] == [cache / "weights/sam_vit_b_01ec64.pth"] * 2
    assert files[2] == cache / "weights/mobile_sam.pt"


def test_encoders_have_names_and_fit_their_architecture_only(cache, downloads):
    assert pretrained_encoder(pretrained.SAM_WEIGHTS, "sam_vit_l", "vit_l") == cache / "weights/sam_vit_l_0b3195.pth"
    assert pretrained_encoder(pretrained.SAM_WEIGHTS, "toyworld_sam", TOYWORLD_SAM) == SAM
    with pytest.raises(ConfigError, match=r"'sam_vit_l' are those of vit_l, not of vit_b: set MODEL\.SAM_NAME"):
        pretrained_encoder(pretrained.SAM_WEIGHTS, "sam_vit_l", "vit_b")


def test_files_in_torch_hubs_folder_are_used(cache, downloads, tmp_path):
    file = tmp_path / "torch/hub/checkpoints/sam_vit_h_4b8939.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert pretrained_encoder(pretrained.SAM_WEIGHTS, "", "vit_h") == file
    assert downloads == []


def test_a_failed_download_is_one_sentence(cache, monkeypatch):
    def refuse(request, timeout):
        raise urllib.error.URLError(OSError(-2, "Name or service not known"))

    monkeypatch.setattr("urllib.request.urlopen", refuse)
    message = (
        r"https://dl\.fbaipublicfiles\.com/segment_anything/sam_vit_h_4b8939\.pth cannot be downloaded \(Name or "
        rf"service not known\): .*save it as {re.escape(str(cache))}/weights/sam_vit_h_4b8939\.pth\."
    )
    with pytest.raises(DownloadError, match=message):
        build_sam("vit_h", "")


def test_a_trained_model_without_a_licence_needs_consent_unless_its_file_is_there(cache, downloads):
    message = r"FrozenSeg ResNet50x64 has no published licence.* run 'frozenseg models download frozenseg_r50x64 --acc"
    with pytest.raises(ConfigError, match=message):
        weights_file("frozenseg_r50x64")
    assert downloads == []
    file = cache / "weights/frozenseg_r50x64.pth"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"")
    assert weights_file("frozenseg_r50x64") == file
    assert weights_file("fcclip_r50") == cache / "weights/fcclip_r50.pth"
    assert downloads == [("view", "")]


def test_folders_have_one_file_of_weights(tmp_path):
    with pytest.raises(CheckpointError, match=r"local-dir:.*nothing is not a folder: pass one that Segmenter\.save"):
        weights_file(f"local-dir:{tmp_path}/nothing")
    with pytest.raises(CheckpointError, match=r"has no file of weights, expected model\.safetensors"):
        weights_file(f"local-dir:{tmp_path}")
    (tmp_path / "a.pth").touch()
    assert weights_file(f"local-dir:{tmp_path}") == tmp_path / "a.pth"
    (tmp_path / "b.safetensors").touch()
    with pytest.raises(CheckpointError, match=r"has a\.pth, b\.safetensors, expected model\.safetensors: pass"):
        weights_file(f"local-dir:{tmp_path}")
    (tmp_path / "model.safetensors").touch()
    assert weights_file(f"local-dir:{tmp_path}") == weights_file(tmp_path) == tmp_path / "model.safetensors"


@pytest.mark.parametrize(("weights", "seed"), [("random", 0), ("random:7", 7), ("toyworld", None), ("", None)])
def test_random_weights_name_their_seed(weights, seed):
    assert pretrained.random_seed(weights) == seed


def test_a_seed_that_is_no_number_is_refused():
    with pytest.raises(ConfigError, match="'random:x': the part after 'random:' must be a whole number"):
        pretrained.random_seed("random:x")


def test_what_is_nearly_the_name_of_a_model_is_answered_with_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(CheckpointError, match=r"There is no checkpoint toyworl, .*Did you mean 'toyworld'\?"):
        weights_file("toyworl")
    assert weights_file("toyworl.pth") == Path("toyworl.pth")
    (tmp_path / "toyworl").touch()
    assert weights_file("toyworl") == Path("toyworl")
