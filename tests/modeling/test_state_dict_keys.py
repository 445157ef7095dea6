"""Names and shapes of all weights are a contract: released checkpoints load by them.

``tests/data/keys`` holds them as the released models have them (key, shape, dtype, trainable / frozen / buffer).
"""

import gzip
from pathlib import Path

import pytest
import torch

from frozenseg.config import load_config
from frozenseg.modeling.build import build_model
from frozenseg.modeling.load_weights import compare
from frozenseg.modeling.weights_layout import adopt_layout
from frozenseg.modeling.without_initialisation import WithoutInitialisation
from frozenseg.vocabulary import Vocabulary
from tests.tiny import ROOT

KEYS = Path(__file__).parents[1] / "data/keys"
CONFIGS = ROOT / "configs/coco/panoptic-segmentation"
COCO = Vocabulary.from_strings([f"class {index}" for index in range(133)])


def released(name: str) -> dict[str, tuple[tuple[int, ...], str]]:
    lines = gzip.decompress((KEYS / f"{name}.tsv.gz").read_bytes()).decode().splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {key: (() if shape == "scalar" else tuple(map(int, shape.split("x"))), kind) for key, shape, _, kind in rows}


@pytest.mark.parametrize(
    ("name", "config", "section", "trainable"),
    [
        ("frozenseg_convnext_large", "frozenseg/convnext_large_eval_ade20k.yaml", "FROZEN_SEG", 26_497_153),
        ("fcclip_convnext_large", "fcclip/fcclip_convnext_large_eval_ade20k.yaml", "FC_CLIP", 20_721_601),
        ("fcclip_r50", "fcclip/fcclip_convnext_large_eval_ade20k_r50.yaml", "FC_CLIP", 21_033_409),
        ("fcclip_r101", "fcclip/fcclip_convnext_large_eval_ade20k_r101.yaml", "FC_CLIP", 20_901_313),
    ],
)
def test_keys_shapes_and_what_trains(name: str, config: str, section: str, trainable: int) -> None:
    untrained = [f"MODEL.{section}.CLIP_PRETRAINED_WEIGHTS", "random", "MODEL.SAM_WEIGHTS", "random"]
    expected = released(name)
    weights = {key: torch.empty(()).expand(shape) for key, (shape, _) in expected.items()}
    with WithoutInitialisation():
        model = build_model(adopt_layout(load_config(CONFIGS / config, untrained), weights, name), COCO)
    state = model.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == {key: row[0] for key, row in expected.items()}
    trained = {key for key, value in model.named_parameters() if value.requires_grad}
    assert trained == {key for key, row in expected.items() if row[1] == "trainable"}
    assert sum(value.numel() for key, value in model.named_parameters() if key in trained) == trainable
    report = compare(model, weights)
    assert report.complete
    assert len(report.loaded) == len(expected) - 1
    assert report.ignored == ("criterion.empty_weight",)
