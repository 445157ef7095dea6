"""Scores of the shipped FrozenSeg-tiny on 50 scenes, compared with those at its release.

After shipping other weights, copy the scores from the ``results.json`` that this test writes.
"""

import json
from pathlib import Path

import pytest

from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import ROOT
from tools.train_net import main

SCENES = 25  # of each split
TABLE = ROOT / "tests/data/frozenseg_tiny_table.json"  # benchmark → task → metric → percent
TOLERANCE = 1.0  # percent: other rounding may change the class of one object in fifty scenes
CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")


def test_the_table_is_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    for split in ("train", "val_seen", "val_unseen"):
        count = 1 if split == "train" else SCENES
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, count), quiet=True)
    output = ["OUTPUT_DIR", str(tmp_path / "run"), "MODEL.DEVICE", "cpu"]
    assert main(["--config-file", CONFIG, "--eval-only", "--weights", "toyworld", *output]) == 0
    results = json.loads((tmp_path / "run/inference/results.json").read_text())
    expected = json.loads(TABLE.read_text())
    for benchmark, tasks in expected.items():
        for task, metrics in tasks.items():
            actual = {name: results[benchmark][task][name] for name in metrics}
            assert actual == pytest.approx(metrics, abs=TOLERANCE), (benchmark, task)
