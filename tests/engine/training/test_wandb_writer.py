"""Writer for Weights & Biases, with a stand-in for the package."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from PIL import Image

from frozenseg.config import CfgNode
from frozenseg.engine.training import wandb_writer
from frozenseg.engine.training.wandb_writer import WeightsAndBiases
from frozenseg.engine.training.writers import build_metric_writers
from frozenseg.errors import ConfigError


class Recorded(ModuleType):
    """Stand-in for the package and its run."""

    def __init__(self) -> None:
        super().__init__("wandb")
        self.settings: dict[str, Any] = {}
        self.logged: list[tuple[int, dict[str, Any]]] = []
        self.finished = False

    def init(self, **settings: Any) -> "Recorded":
        self.settings = settings
        return self

    def log(self, values: dict[str, Any], step: int) -> None:
        self.logged.append((step, values))

    def finish(self) -> None:
        self.finished = True

    def Image(self, image: Image.Image) -> SimpleNamespace:
        return SimpleNamespace(size=image.size)


@pytest.fixture
def wandb(monkeypatch: pytest.MonkeyPatch) -> Recorded:
    package = Recorded()
    monkeypatch.setitem(sys.modules, "wandb", package)
    monkeypatch.setattr(wandb_writer.importlib.util, "find_spec", lambda name: object())
    return package


def test_scalars_and_images_arrive(cfg: CfgNode, wandb: Recorded, tmp_path: Path) -> None:
    cfg.LOG_WANDB_PROJECT = "toys"
    writer = WeightsAndBiases(cfg, tmp_path)
    writer.write(20, {"total_loss": 3.0, "memory": None})
    writer.show(20, Image.new("RGB", (8, 4)))
    writer.close()
    assert wandb.settings["project"] == "toys"
    assert wandb.settings["config"]["SOLVER"]["BASE_LR"] == 1e-4
    assert wandb.logged[0] == (20, {"total_loss": 3.0})
    assert wandb.logged[1][1]["pictures"].size == (8, 4)
    assert wandb.finished


def test_a_resumed_training_continues_the_same_run(cfg: CfgNode, wandb: Recorded, tmp_path: Path) -> None:
    names = []
    for folder in (tmp_path, tmp_path / ".." / tmp_path.name, tmp_path / "other"):
        WeightsAndBiases(cfg, folder)
        names.append(wandb.settings["id"])
    assert names[0] == names[1] != names[2]
    assert wandb.settings["resume"] == "allow"


def test_it_is_used_if_a_project_is_set(cfg: CfgNode, wandb: Recorded, tmp_path: Path) -> None:
    for project, is_used in (("", False), ("toys", True)):
        cfg.LOG_WANDB_PROJECT = project
        writers = build_metric_writers(cfg, tmp_path)
        assert any(isinstance(writer, WeightsAndBiases) for writer in writers) == is_used
        for writer in writers:
            writer.close()


@pytest.mark.skipif(importlib.util.find_spec("wandb") is not None, reason="it is installed")
def test_without_the_package_the_error_names_the_install_command(cfg: CfgNode, tmp_path: Path) -> None:
    cfg.LOG_WANDB_PROJECT = "toys"
    with pytest.raises(ConfigError, match=r"W&B is not installed: pip install 'frozenseg\[wandb\]'"):
        WeightsAndBiases(cfg, tmp_path)
