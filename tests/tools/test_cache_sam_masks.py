"""The cache of SAM proposals: every image once, and evaluations use it."""

import logging
import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from torchvision.transforms.v2.functional import pil_to_tensor

from frozenseg.config import load_config
from frozenseg.data.catalog import vocabulary_of
from frozenseg.data.images import read_image
from frozenseg.modeling.build import build_model
from frozenseg.modeling.sam.automatic_masks import proposal_cache
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
    assert "0 of 4 images were in the cache; 4 were added" in caplog.text
    monkeypatch.setattr(proposal_cache.ProposalCache, "save", None)  # nothing is made again
    caplog.clear()
    with caplog.at_level("INFO"):
        assert main(["toyworld_val_seen", *command]) == 0
    assert "2 of 2 images were in the cache; 0 were added" in caplog.text


def test_masks_of_another_precision_are_others_and_its_models_find_them(
    command: list[str], tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    for precision in ("float32", "bfloat16"):
        caplog.clear()
        with caplog.at_level("INFO"):
            assert main(["toyworld_val_seen", *command, "MODEL.FROZEN_DTYPE", precision]) == 0
        assert "0 of 2 images were in the cache" in caplog.text
    masks = ("TEST.USE_SAM_MASKS", True, "TEST.SAM_MASK_POINTS", 2, "TEST.SAM_MASK_CACHE", str(tmp_path / "masks"))
    cfg = load_config(CONFIG, [*NARROW, *masks, "MODEL.FROZEN_DTYPE", "bfloat16"])
    model = build_model(cfg, vocabulary_of("toyworld_train")).eval()
    monkeypatch.setattr(proposal_cache.ProposalCache, "save", None)  # nothing is made again
    for picture in (tmp_path / "toyworld/val_seen").rglob("*.jpg"):
        model.propose(pil_to_tensor(read_image(str(picture))), model.ensemble_settings.proposals.masks)


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
    assert "2 were added" in caplog.text
    (tmp_path / f"{pictures[0].stem}.pkl").unlink()
    shutil.rmtree(tmp_path / "masks")
    with caplog.at_level("INFO"):
        assert main([*command, "DATASETS.SKIP_BAD", "True"]) == 0
    assert "1 were added" in caplog.text
    assert "1 were skipped" in caplog.text


def test_mistakes_are_one_sentence(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["toyworld_val", *command]) == 2
    assert "Did you mean 'toyworld_val_seen'" in capsys.readouterr().err
