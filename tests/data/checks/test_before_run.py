"""Check before a run: a sample of images is decoded, and drawn on request."""

import logging
import shutil
from pathlib import Path

import pytest
from PIL import Image

from frozenseg import distributed
from frozenseg.data import resolve
from frozenseg.data.checks.before_run import check_samples, write_contact_sheets
from frozenseg.data.loader import EvalDataset
from frozenseg.errors import DataError

NAME, BROKEN = "toyworld_val_seen", "000000000002.jpg"


@pytest.fixture
def damaged(toy_root, tmp_path, monkeypatch) -> Path:
    """The folder of a ToyWorld with one image that cannot be decoded."""
    shutil.copytree(toy_root / "toyworld", tmp_path / "toyworld")
    (tmp_path / "toyworld" / "val_seen" / "images" / BROKEN).write_bytes(b"broken")
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    return tmp_path


def test_a_damaged_image_is_an_error_unless_it_is_skipped(damaged, cfg):
    opened = EvalDataset.open(cfg, resolve(NAME), ["panoptic"]).opened
    with pytest.raises(DataError, match=rf"{BROKEN} cannot be decoded.* Of 3 images .* checked, 1 have a problem"):
        check_samples([opened])
    check_samples([opened], skip_bad=True)


def test_only_annotations_that_are_read_are_checked(damaged, cfg):
    shutil.copy(damaged / "toyworld/val_seen/images/000000000003.jpg", damaged / "toyworld/val_seen/images" / BROKEN)
    (damaged / "toyworld/val_seen/semantic/000000000001.png").write_bytes(b"broken")
    check_samples([EvalDataset.open(cfg, resolve(NAME), ["panoptic"]).opened])
    with pytest.raises(DataError, match=r"semantic/000000000001\.png"):
        check_samples([EvalDataset.open(cfg, resolve(NAME), ["panoptic", "semantic"]).opened])


def test_contact_sheets_are_written_by_rank_0(toy, cfg, tmp_path, monkeypatch, caplog):
    opened = EvalDataset.open(cfg, resolve(NAME), ["panoptic"]).opened
    monkeypatch.setattr(distributed, "is_main_process", lambda: False)
    write_contact_sheets([opened], tmp_path / "data")
    assert not (tmp_path / "data").exists()
    monkeypatch.setattr(distributed, "is_main_process", lambda: True)
    with caplog.at_level(logging.INFO, "frozenseg"):
        write_contact_sheets([opened], tmp_path / "data")
    path = tmp_path / "data" / f"{NAME}.png"
    assert caplog.messages == [f"{NAME}: 3 images; a few of them with their annotations: {path}"]
    with Image.open(path) as sheet:
        assert sheet.width > sheet.height / 2 > 100
