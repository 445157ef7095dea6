"""Both encoders are trained, scored and written by the tool, and their files load where weights are asked for."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from frozenseg.errors import ConfigError
from frozenseg.modeling.clip.build import build_clip
from frozenseg.modeling.pretrained import TOYWORLD_CLIP, TOYWORLD_SAM, TOYWORLD_TINY_SAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.toyworld.export import Recipe, make_scene
from lab.pretraining.recipes import RECIPES
from lab.pretraining.scores import best_ious, colour_clusters
from tools import pretrain_toyworld

FEW = ["--steps", "2", "--batch", "4", "--scenes", "8", "--test-scenes", "2"]


@pytest.mark.parametrize(
    ("name", "build"),
    [
        ("clip", lambda file: build_clip(TOYWORLD_CLIP, file)),
        ("sam", lambda file: build_sam(TOYWORLD_SAM, file)),
        ("sam_t", lambda file: build_sam(TOYWORLD_TINY_SAM, file)),
    ],
)
def test_trained_weights_and_their_card(name, build, tmp_path: Path, capsys):
    assert pretrain_toyworld.main([name, *FEW, "--output", str(tmp_path)]) == 0
    file = tmp_path / f"{name}.safetensors"
    weights = load_file(file)
    assert {value.dtype for value in weights.values() if value.is_floating_point()} == {torch.float16}
    trained = build(str(file)).state_dict()
    start = RECIPES[name].build("random:0").state_dict()
    kernels = [key for key, value in start.items() if value.is_floating_point() and value.ndim > 1]
    assert any(not torch.equal(trained[key], start[key].half().to(start[key].dtype)) for key in kernels)
    card = file.with_suffix(".md").read_text(encoding="utf-8")
    assert f"python tools/pretrain_toyworld.py {name} --steps 2" in card
    assert "| percent" in card
    assert str(file) in capsys.readouterr().out


def test_another_seed_does_not_go_on_with_what_is_there(tmp_path: Path, capsys):
    assert pretrain_toyworld.main(["clip", *FEW, "--output", str(tmp_path)]) == 0
    weights = (tmp_path / "clip.safetensors").read_bytes()
    for other in (["--seed", "1"], ["--batch", "2"], ["--scenes", "9"], ["--steps", "3"], ["--learning-rate", "1"]):
        assert pretrain_toyworld.main(["clip", *FEW, *other, "--output", str(tmp_path)]) == 2
        assert "belongs to a run with another seed or other amounts" in capsys.readouterr().err
    assert (tmp_path / "clip.safetensors").read_bytes() == weights


def test_what_trains_nothing_is_refused(tmp_path: Path, capsys):
    assert pretrain_toyworld.main(["clip", *FEW, "--test-scenes", "0", "--output", str(tmp_path)]) == 2
    assert "The number of test scenes is 0: at least 1 is needed" in capsys.readouterr().err
    assert pretrain_toyworld.main(["clip", *FEW, "--steps", "0", "--output", str(tmp_path)]) == 2
    assert "steps is 0: at least 1 is needed" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="learning rate is -1"):
        replace(RECIPES["sam"].defaults, learning_rate=-1)


def test_clusters_of_colours_are_masks_of_the_picture():
    masks = colour_clusters(make_scene(Recipe("val_seen", 0, 1), 1).image)
    assert masks.shape[1:] == (128, 128)
    assert masks.dtype == torch.bool
    assert masks.sum(dim=0).max() == 1  # no pixel twice


def test_the_best_mask_of_each_region():
    regions = torch.zeros(2, 2, 2, dtype=torch.bool)
    regions[0, 0], regions[1, 1, 1] = True, True
    masks = torch.ones(1, 2, 2, dtype=torch.bool)
    assert best_ious(regions, masks).tolist() == [0.5, 0.25]
    assert best_ious(regions, masks[:0]).tolist() == [0, 0]
