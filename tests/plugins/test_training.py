"""Training by Detectron2's trainer, and gone on with."""

import itertools
from pathlib import Path

import pytest

pytest.importorskip("detectron2", reason="Detectron2 is not installed; its install page says how")

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
