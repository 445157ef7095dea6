"""Frozen SAMs: shapes, resizing, freezing, weights and their errors."""

from pathlib import Path

import pytest
import torch

from frozenseg.errors import CheckpointError, ConfigError
from frozenseg.modeling.sam.build import build_sam
from frozenseg.registry import SAM


def test_embedding_of_any_image_size() -> None:
    sam = build_sam("vit_toy", "random")
    assert sam(torch.randn(2, 3, 128, 128)).shape == (2, 64, 16, 16)
    assert sam(torch.randn(1, 3, 96, 160)).shape == (1, 64, 16, 16)


def test_it_stays_frozen() -> None:
    sam = build_sam("vit_toy", "random").train()
    assert not any(module.training for module in sam.modules())
    assert not any(parameter.requires_grad for parameter in sam.parameters())


@pytest.mark.parametrize("name", ["vit_b", "vit_l", "vit_h"])
def test_the_packages_models_have_the_packages_weights(name: str) -> None:
    segment_anything = pytest.importorskip("segment_anything")
    with torch.device("meta"):
        ours, theirs = SAM.look_up(name)(), segment_anything.sam_model_registry[name]()
    shapes = {key: value.shape for key, value in theirs.state_dict().items()}
    assert {key: value.shape for key, value in ours.state_dict().items()} == shapes


def test_weights_round_trip(tmp_path: Path) -> None:
    trained = build_sam("vit_toy", "random:3")
    torch.save(trained.state_dict(), tmp_path / "sam.pth")
    assert build_sam("vit_toy", str(tmp_path / "sam.pth")).weights_hash() == trained.weights_hash()


def test_weights_of_another_sam_are_refused_by_the_first_difference(tmp_path: Path) -> None:
    state = build_sam("vit_toy", "random").state_dict()
    state["image_encoder.pos_embed"] = torch.zeros(1, 8, 8, 64)
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match=r"does not hold SAM 'vit_toy'.*image_encoder\.pos_embed"):
        build_sam("vit_toy", str(tmp_path / "other.pth"))


def test_wrong_names_and_files(tmp_path: Path) -> None:
    (tmp_path / "damaged.pth").write_bytes(b"nothing")
    with pytest.raises(ConfigError, match="Did you mean 'vit_b'"):
        build_sam("vitb", "random")
    with pytest.raises(CheckpointError, match="is no file"):
        build_sam("vit_toy", str(tmp_path / "missing.pth"))
    with pytest.raises(CheckpointError, match="cannot be read as SAM weights"):
        build_sam("vit_toy", str(tmp_path / "damaged.pth"))
    with pytest.raises(ConfigError, match="no released weights"):
        build_sam("vit_toy", "")
