"""Config keys that follow from the shapes of weights, and that are set in no file."""

import logging
from pathlib import Path

import pytest
import torch

from frozenseg.config import CfgNode
from frozenseg.errors import CheckpointError
from frozenseg.inference.predictor import Segmenter
from frozenseg.modeling.build import build_model
from frozenseg.modeling.load_weights import load_checkpoint
from frozenseg.modeling.ops.released_read import ReleasedRead
from frozenseg.modeling.weights_layout import adopt_layout
from tests.tiny import NARROW, ROOT, TRAINING, tiny_config

LEVELS = "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS"
CONFIG = ROOT / "configs/toyworld/frozenseg_tiny.yaml"


def state_of(*options: object) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(build_model(tiny_config("FrozenSeg", *options), TRAINING).state_dict())


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny file in the form of the released FrozenSeg weights: all weights, three levels in the SAM branch."""
    path = tmp_path_factory.mktemp("weights") / "frozenseg.pth"
    torch.save({"model": state_of(LEVELS, 3)}, path)
    return path


def levels(cfg: CfgNode) -> int:
    return int(cfg.MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS)


def test_the_levels_of_the_sam_branch_are_those_of_the_file(released: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="frozenseg")
    weights = torch.load(released, weights_only=True)["model"]
    cfg = tiny_config("FrozenSeg")
    adopted = adopt_layout(cfg, weights, "frozenseg.pth")
    assert (levels(cfg), levels(adopted)) == (1, 3)
    assert adopted.is_frozen()
    assert adopted.origins()[LEVELS] == "the weights in frozenseg.pth"
    assert caplog.text.count(f"{LEVELS} is 3, from the shapes of the weights in frozenseg.pth (default 1).") == 1
    assert load_checkpoint(build_model(adopted, TRAINING), {"model": weights}, "frozenseg.pth").complete
    assert adopt_layout(adopted, weights, "frozenseg.pth") is adopted


def test_a_key_that_is_set_is_kept_and_named_if_it_contradicts_the_file(released: Path) -> None:
    cfg = tiny_config("FrozenSeg", LEVELS, 1)
    weights = torch.load(released, weights_only=True)["model"]
    assert adopt_layout(cfg, weights, released) is cfg
    with pytest.raises(CheckpointError, match=rf"Set {LEVELS} 3 \(now 1\)\."):
        Segmenter.from_config(CONFIG, weights=released, device="cpu", options=[*NARROW, LEVELS, 1])


@pytest.mark.parametrize("shape", [(1, 64), (2, 64), ()])
def test_other_weights_change_nothing(shape: tuple[int, ...]) -> None:
    cfg = tiny_config("FrozenSeg")
    assert adopt_layout(cfg, {"sem_seg_head.pixel_decoder.sam_transformer.level_embed": torch.zeros(shape)}, "a") is cfg
    assert adopt_layout(cfg, {}, "") is cfg


def test_a_segmenter_needs_no_key_for_released_weights(released: Path) -> None:
    segmenter = Segmenter.from_config(CONFIG, weights=released, device="cpu", options=NARROW)
    encoder = segmenter.model.sem_seg_head.pixel_decoder.sam_transformer
    assert encoder.levels == 3
    assert encoder.released_read is ReleasedRead.PER_IMAGE
