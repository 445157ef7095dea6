"""The baselines without training are scored like models, on ToyWorld only."""

import json
import logging
from pathlib import Path

import pytest

from frozenseg.engine.evaluation.toyworld_baselines import BaselineModel, majority_regions
from frozenseg.errors import ConfigError
from frozenseg.toyworld.export import Recipe, export_split
from tools import toyworld_baselines


@pytest.fixture(autouse=True)
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("val_seen", "val_unseen"):
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, 3), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    monkeypatch.setattr("frozenseg.log.setup_logging", lambda: None)
    monkeypatch.setattr(logging.getLogger("frozenseg"), "propagate", True)


def options(folder: Path) -> list[str]:
    return ["--output", str(folder), "OUTPUT_DIR", str(folder), "DATALOADER.NUM_WORKERS", "0"]


def test_baselines_with_more_knowledge_score_higher(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    assert toyworld_baselines.main(options(tmp_path / "out")) == 0
    quality = {
        name: json.loads((tmp_path / "out" / f"{name}.json").read_text())["toyworld_val_seen"]["panoptic_seg"]["PQ"]
        for name in ("majority", "colour", "outline")
    }
    assert quality["majority"] < quality["colour"] < quality["outline"]
    assert "combination_PQ" in capsys.readouterr().out


def test_other_classes_are_refused() -> None:
    with pytest.raises(ConfigError, match="'zebra' is not a class of ToyWorld"):
        BaselineModel.for_classes(majority_regions, [("grass", "lawn"), ("zebra",)])


def test_the_majority_baseline_predicts_one_segment(tmp_path: Path) -> None:
    model = BaselineModel.for_classes(majority_regions, [("red circle",), ("sand", "beach")])
    [output] = model([{"file_name": str(tmp_path / "toyworld/val_seen/images/000000000001.jpg")}])
    ids, segments = output["panoptic_seg"]
    assert ids.unique().tolist() == [1]
    assert segments == [{"id": 1, "isthing": False, "category_id": 1}]
    assert output["sem_seg"].unique().tolist() == [1]
