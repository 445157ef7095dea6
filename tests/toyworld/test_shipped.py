"""The weights in the package: small, described, and given out for their own architecture alone."""

import pytest
import torch
from safetensors.torch import load_file

from frozenseg.errors import ConfigError
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.sam.build import build_sam
from frozenseg.toyworld import shipped

MIB = 1 << 20


def test_they_are_small():
    assert shipped.CLIP.stat().st_size + shipped.SAM.stat().st_size <= 12 * MIB
    assert shipped.FROZENSEG.stat().st_size <= 6 * MIB


@pytest.mark.parametrize("file", [shipped.CLIP, shipped.SAM, shipped.FROZENSEG], ids=lambda file: file.stem)
def test_each_has_a_card_with_the_command_that_makes_it(file):
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert "`python tools/" in card
    assert "seed 0" in card
    assert "minutes" in card
    assert "| " in card


@pytest.mark.parametrize("file", [shipped.CLIP, shipped.SAM], ids=lambda file: file.stem)
def test_encoders_are_kept_in_half_precision(file):
    assert {value.dtype for value in load_file(file).values() if value.is_floating_point()} == {torch.float16}


def test_encoders_are_built_by_their_word():
    clip = build_clip(shipped.CLIP_NAME, shipped.TOYWORLD)
    sam = build_sam(shipped.SAM_NAME, shipped.TOYWORLD)
    for encoder, untrained in ((clip, build_clip(shipped.CLIP_NAME, "random")), (sam, build_sam("vit_toy", "random"))):
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
