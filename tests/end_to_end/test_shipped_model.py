"""The trained FrozenSeg-tiny of the package scores on 50 scenes what it scored when it was shipped.

After other weights are shipped, the table is the one of ``results.json`` that this test's own evaluation writes.
"""

import json
from pathlib import Path

import pytest

from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import ROOT
from tools.train_net import main

SCENES = 25  # of each split
TABLE = ROOT / "tests/data/frozenseg_tiny_table.json"  # benchmark → task → metric → percent
TOLERANCE = 1.0  # percent: one thing in fifty scenes may be called otherwise where kernels round otherwise
CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")


def test_the_table_is_reproduced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
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
            found = {name: results[benchmark][task][name] for name in metrics}
            assert found == pytest.approx(metrics, abs=TOLERANCE), (benchmark, task)
