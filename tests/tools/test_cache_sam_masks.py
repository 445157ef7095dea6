"""Masks made ahead: every picture once, none twice, and an evaluation finds them."""

import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest

from frozenseg.modeling.sam import proposal_cache
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT
from tools.cache_sam_masks import main

CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    for split in ("val_seen", "val_unseen"):
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, 2, 64, 64), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    monkeypatch.setattr("frozenseg.log.setup_logging", lambda: None)
    monkeypatch.setattr(logging.getLogger("frozenseg"), "propagate", True)
    options = [*map(str, NARROW), "TEST.SAM_MASK_POINTS", "2", "DATALOADER.NUM_WORKERS", "0"]
    return ["--config-file", CONFIG, "--cache", str(tmp_path / "masks"), "--opts", *options]


def test_every_picture_gets_its_masks_once(
    command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with caplog.at_level("INFO"):
        assert main(["toyworld_val_seen", "toyworld_val_unseen", *command]) == 0
    files = list((tmp_path / "masks").rglob("*.npz"))
    assert len(files) == 4
    assert "0 of 4 pictures had masks already; 4 more have them now" in caplog.text
    monkeypatch.setattr(proposal_cache.ProposalCache, "save", None)  # nothing is made again
    caplog.clear()
    with caplog.at_level("INFO"):
        assert main(["toyworld_val_seen", *command]) == 0
    assert "2 of 2 pictures had masks already; 0 more have them now" in caplog.text


def test_released_pickles_are_taken_over(
    command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["toyworld_val_seen", "--released", str(tmp_path), *command]
    assert main(command) == 2
    assert "error: There is no file" in capsys.readouterr().err
    pictures = sorted((tmp_path / "toyworld/val_seen").rglob("*.jpg"))
    for picture in pictures:
        (tmp_path / f"{picture.stem}.pkl").write_bytes(pickle.dumps(np.ones((3, 64, 64), dtype=np.float32)))
    with caplog.at_level("INFO"):
        assert main(command) == 0
    assert "2 more have them now" in caplog.text
    (tmp_path / f"{pictures[0].stem}.pkl").unlink()
    shutil.rmtree(tmp_path / "masks")
    with caplog.at_level("INFO"):
        assert main([*command, "DATASETS.SKIP_BAD", "True"]) == 0
    assert "1 more have them now" in caplog.text
    assert "1 were left out" in caplog.text


def test_mistakes_are_one_sentence(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toyworld_val", *command]) == 2
    assert "Did you mean 'toyworld_val_seen'" in capsys.readouterr().err
