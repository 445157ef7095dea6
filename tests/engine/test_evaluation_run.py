"""``evaluate_dataset``: one data set by its protocol, from Python."""

import json
from pathlib import Path

import pytest

from frozenseg import evaluate_dataset
from frozenseg.errors import ConfigError, DataError
from frozenseg.toyworld.export import Recipe, export_split

FAST = ["MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 6, "INPUT.MIN_SIZE_TEST", 64, "DATALOADER.NUM_WORKERS", 0, "SEED", 0]


def test_one_data_set_is_evaluated_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val_unseen"):
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, 2, 64, 64), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    config, output = "toyworld/frozenseg_tiny", tmp_path / "out"
    scores = evaluate_dataset("toyworld_val_unseen", config, output_dir=output, options=FAST)
    assert 0 <= scores["panoptic_seg"]["PQ"] <= 100
    written = json.loads((output / "inference/results.json").read_text(encoding="utf-8"))
    assert written["toyworld_val_unseen"]["panoptic_seg"]["PQ"] == pytest.approx(scores["panoptic_seg"]["PQ"])
    assert (output / "inference/report.html").is_file()


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Unknown data set 'toyworld_val'.*Did you mean"):
        evaluate_dataset("toyworld_val", "toyworld/frozenseg_tiny", output_dir=tmp_path)
    with pytest.raises(ConfigError, match="Did you mean 'toyworld/frozenseg_tiny'"):
        evaluate_dataset("toyworld_val_seen", "toyworld/frozenseg_tin", output_dir=tmp_path)
