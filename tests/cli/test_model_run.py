"""Config of an evaluation without --config: that of the weights."""

from pathlib import Path
from typing import Any

import pytest
import torch

from frozenseg.cli.main import main
from frozenseg.engine import run
from tests.tiny import tiny_config


@pytest.fixture
def configs(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collect the configs of runs that are started."""
    started: list[Any] = []
    monkeypatch.setattr(run, "launch", lambda _, arguments, __: started.append(arguments[0]) or 0)
    return started


def test_weights_with_a_name_bring_their_config(configs: list[Any]) -> None:
    assert main(["eval", "--weights", "toyworld", "SEED", "3"]) == 0
    [cfg] = configs
    assert (cfg.MODEL.META_ARCHITECTURE, cfg.MODEL.WEIGHTS, cfg.SEED) == ("FrozenSeg", "toyworld", 3)
    assert "toyworld_val_unseen" in cfg.DATASETS.TEST


def test_a_checkpoint_brings_its_config(configs: list[Any], tmp_path: Path) -> None:
    cfg = tiny_config("FCCLIP", "DATASETS.TEST", "['toyworld_val_seen']", "DATASETS.TRAIN", "['toyworld_train']")
    file = tmp_path / "model_final.pth"
    torch.save({"model": {"weight": torch.zeros(1)}, "frozen": {}, "config": cfg.dump()}, file)
    assert main(["eval", "--weights", str(file)]) == 0
    assert ("FCCLIP", str(file)) == (configs[0].MODEL.META_ARCHITECTURE, configs[0].MODEL.WEIGHTS)


def test_without_config_and_weights_there_is_nothing_to_evaluate(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval"]) == 2
    assert "Neither a config nor weights: give --config, or --weights" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="2"):
        main(["train"])
