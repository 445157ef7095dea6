"""Training by Detectron2's trainer: resumption, and batches of Detectron2's mapper."""

import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from frozenseg.errors import ConfigError, DataError
from tests.tiny import ROOT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    pytest.importorskip("detectron2", reason="Detectron2 is not installed; its install page says how")
    from detectron2.data import DatasetCatalog, DatasetMapper, MetadataCatalog
    from detectron2.data.datasets import register_coco_instances
    from detectron2.engine import DefaultTrainer
    from detectron2.modeling import build_model
    from detectron2.structures import Instances

pytestmark = pytest.mark.filterwarnings("ignore")  # Detectron2's own


def losses(trainer) -> dict[int, float]:
    """Return the total loss by step."""
    return {step: value for value, step in trainer.storage.history("total_loss").values()}


def trained(plugin, cfg, steps: int, folder: Path, resume: bool = False) -> dict[int, float]:
    """Train to a number of steps in a folder; return the losses of the steps that were made."""
    cfg = cfg.clone()
    cfg.merge_from_list(["SOLVER.MAX_ITER", steps, "OUTPUT_DIR", str(folder), "DATASETS.TEST", ()])
    trainer = plugin.FrozenSegTrainer(cfg)
    trainer.resume_or_load(resume=resume)
    trainer.train()
    return losses(trainer)


def test_a_resumed_run_sees_the_images_that_come_next(plugin, cfg, tmp_path: Path) -> None:
    cfg.SOLVER.LR_SCHEDULER_NAME = "WarmupMultiStepLR"  # does not depend on the number of steps
    whole = trained(plugin, cfg, 4, tmp_path / "whole")
    first = trained(plugin, cfg, 2, tmp_path / "parts")
    second = trained(plugin, cfg, 4, tmp_path / "parts", resume=True)
    assert (list(first), list(second)) == ([0, 1], [2, 3])
    assert first | second == pytest.approx(whole, rel=1e-5)


def test_the_loader_of_a_subclass_stays_when_a_run_is_resumed(plugin, cfg, tmp_path: Path) -> None:
    class Own(plugin.FrozenSegTrainer):
        @classmethod
        def build_train_loader(cls, cfg):
            return list(itertools.islice(super().build_train_loader(cfg), 1))

    trained(plugin, cfg, 1, tmp_path)
    cfg.merge_from_list(["SOLVER.MAX_ITER", 2, "OUTPUT_DIR", str(tmp_path), "DATASETS.TEST", ()])
    trainer = Own(cfg)
    trainer.resume_or_load()
    trainer.train()
    assert list(losses(trainer)) == [1]
    assert isinstance(trainer._trainer.data_loader, list)


def test_its_plain_trainer_trains_on_a_data_set_of_its_own(plugin, cfg, toy: Path) -> None:
    folder = toy / "toyworld/train"
    register_coco_instances("my_toys", {}, str(folder / "instances.json"), str(folder / "images"))
    DatasetCatalog.get("my_toys")  # its metadata say the classes once it has been read
    cfg.merge_from_list(["DATASETS.TRAIN", ("my_toys",), "DATASETS.TEST", (), "SOLVER.MAX_ITER", 1])
    cfg.merge_from_list(["INPUT.MASK_FORMAT", "bitmask", "INPUT.MIN_SIZE_TRAIN", (64,)])
    cfg.SOLVER.CLIP_GRADIENTS.CLIP_TYPE = "norm"  # Detectron2's optimiser knows no full_model
    trainer = DefaultTrainer(cfg)
    trainer.train()
    assert list(losses(trainer)) == [0]
    assert trainer.model.vocabulary.classes[0] == (MetadataCatalog.get("my_toys").thing_classes[0],)


def test_its_own_mapper_gives_masks_and_images_without_any(plugin, cfg) -> None:
    [record] = DatasetCatalog.get("toyworld_train")[:1]
    element = DatasetMapper(cfg)({**record, "annotations": []})
    assert not element["instances"].has("gt_masks")
    losses = build_model(cfg).train()([element])
    assert all(torch.isfinite(loss) for loss in losses.values())


def test_targets_without_masks_are_answered_with_the_key(plugin, cfg) -> None:
    instances = Instances((64, 64), gt_classes=torch.tensor([0]))
    batch = [{"image": torch.zeros(3, 64, 64, dtype=torch.uint8), "instances": instances}]
    with pytest.raises(DataError, match="no gt_masks: set MODEL.MASK_ON to True"):
        build_model(cfg).train()(batch)


@pytest.mark.parametrize(("period", "lines"), [(1, {0, 1, 2}), (2, {1, 2}), (0, {2})])
def test_the_log_has_our_period(plugin, cfg, tmp_path: Path, period: int, lines: set[int]) -> None:
    cfg.merge_from_list(["LOG_PERIOD", period, "SOLVER.CHECKPOINT_PERIOD", 0])
    trained(plugin, cfg, 3, tmp_path)
    written = map(json.loads, (tmp_path / "metrics.json").read_text(encoding="utf-8").splitlines())
    assert {line["iteration"] for line in written if "total_loss" in line} == lines
    assert {path.name for path in tmp_path.glob("*.pth")} == {"model_0000002.pth", "model_final.pth"}


def test_the_trainer_refuses_parts_of_a_batch(plugin, cfg) -> None:
    cfg.SOLVER.IMAGES_AT_ONCE = 1
    with pytest.raises(ConfigError, match="SOLVER.IMAGES_AT_ONCE is 1"):
        plugin.FrozenSegTrainer(cfg)


def test_frozen_parts_have_the_precision_that_is_asked_for(plugin, cfg) -> None:
    cfg.MODEL.FROZEN_DTYPE = "bfloat16"
    assert {part.precision for part in build_model(cfg).frozen_parts().values()} == {torch.bfloat16}


def test_the_ten_lines_of_the_page_work_as_printed(
    plugin, options: list[object], ten_lines: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "configs").symlink_to(ROOT / "configs")
    small = [*options[:-2], "MODEL.DEVICE", "cpu", "SOLVER.AMP.ENABLED", False]  # and the folder of the config
    trainer = "frozenseg.FrozenSegTrainer(cfg)"
    assert ten_lines.count(trainer) == 1
    names: dict[str, Any] = {"small": small}
    exec(ten_lines.replace(trainer, f"cfg.merge_from_list(small)\n{trainer}"), names)  # noqa: S102 (our own page)
    trained = torch.load(names["cfg"].MODEL.WEIGHTS, weights_only=True)["model"]
    predictor = names["predictor"]
    kept = predictor.model.state_dict()
    assert all(torch.equal(kept[name], value) for name, value in trained.items())
    assert {"panoptic_seg", "instances", "sem_seg"} <= predictor(np.zeros((64, 64, 3), np.uint8)).keys()
