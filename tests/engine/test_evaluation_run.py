"""``evaluate_dataset``: one data set by its protocol, from Python."""

import json
from pathlib import Path
from typing import Any

import pytest

from frozenseg import evaluate_dataset
from frozenseg.config import CfgNode, load_config
from frozenseg.data import vocabulary_of
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.engine import evaluation_run
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


def test_the_classes_in_the_weights_are_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    trained: list[Any] = []

    def stop(cfg: CfgNode, training: ResolvedDataset) -> None:
        trained.append(training)
        raise DataError("stopped")

    monkeypatch.setattr(evaluation_run, "build_benchmarks", stop)
    cfg = load_config("toyworld/frozenseg_tiny", ["DATASETS.TRAIN", ["openvocab_pascal20_sem_seg_train"]])
    cfg.defrost()
    cfg.MODEL.WEIGHTS = "toyworld"
    with pytest.raises(DataError, match="stopped"):
        evaluation_run.run_evaluation(cfg, tmp_path)
    assert trained[0].vocabulary == vocabulary_of("toyworld_train")
    assert "toyworld was trained on 20 classes of toyworld_train" in caplog.text
    assert "DATASETS.TRAIN of the config is openvocab_pascal20_sem_seg_train with 20 classes" in caplog.text


def test_mistakes_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"Unknown data set 'toyworld_val'.*Did you mean"):
        evaluate_dataset("toyworld_val", "toyworld/frozenseg_tiny", output_dir=tmp_path)
    with pytest.raises(ConfigError, match="Did you mean 'toyworld/frozenseg_tiny'"):
        evaluate_dataset("toyworld_val_seen", "toyworld/frozenseg_tin", output_dir=tmp_path)
