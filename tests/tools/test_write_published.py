"""README's models, configs/published and docs/reproduce.md follow from the table of released models."""

import shutil
from pathlib import Path

import pytest

from tests.tiny import ROOT
from tools.write_published import main

ROW = "| [FrozenSeg ConvNeXt-L](configs/frozenseg/convnext_large.yaml) | 25.9 / 16.4 / 34.4† | 45.8 / 28.4 / 56.8 | "
CONFIG = """\
# python tools/train_net.py --eval-only --config-file configs/published/fcclip_r50/mapillary_vistas.yaml --weights FILE
# FC-CLIP ResNet50 on Mapillary; expected: as published (README).
_BASE_: [../../fcclip/r50.yaml, ../../eval/mapillary_vistas.yaml]
DATASETS:
  SEEN_RULE: published
TEST:
  EXPECTED_RESULTS:
    - [panoptic_seg, PQ, 15.9, 0.2]
    - [sem_seg, mIoU, 24.4, 0.2]
"""


def test_the_files_follow_from_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--check"]) == 0, capsys.readouterr().err
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ROW in readme
    assert "| 54.4 / 44.6 / 63.7 | *published* | [address](https://drive.google.com/file/d/1-91PIns86vyNaL3" in readme
    assert "| 81.8 | 95.4 |" in readme  # 81.77 and 95.35, rounded half up


def test_other_files_are_named_and_written_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "docs").mkdir()
    for name in ("README.md", "docs/reproduce.md"):
        shutil.copy(ROOT / name, tmp_path / name)
    page = (tmp_path / "README.md").read_text(encoding="utf-8")
    (tmp_path / "README.md").write_text(page.replace(ROW, ROW.replace("25.9", "29.5")), encoding="utf-8")
    surplus = tmp_path / "configs/published/fcclip_r50/lvis.yaml"
    surplus.parent.mkdir(parents=True)
    surplus.write_text("SEED: 1\n")
    assert main(["--root", str(tmp_path), "--check"]) == 2
    message = capsys.readouterr().err
    assert "configs/published/fcclip_r50/ade20k.yaml" in message
    assert "README.md, configs/published/fcclip_r50/lvis.yaml. Change the table, then run" in message
    assert "docs/reproduce.md" not in message
    assert main(["--root", str(tmp_path)]) == 0
    assert not surplus.exists()
    assert (tmp_path / "README.md").read_text(encoding="utf-8") == page
    assert (tmp_path / "configs/published/fcclip_r50/mapillary_vistas.yaml").read_text() == CONFIG
    assert main(["--root", str(tmp_path), "--check"]) == 0
