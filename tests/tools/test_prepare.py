"""Command line of datasets/prepare.py: output and exit code."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

from frozenseg.data.checks.audit import AuditReport
from frozenseg.data.prepare.converter import converters
from tests.miniatures import ade20k, pascal_voc
from tests.tiny import ROOT


@pytest.fixture
def tool(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Load datasets/prepare.py, which is not in a package."""
    monkeypatch.setenv("DETECTRON2_DATASETS", "put back afterwards")
    spec = importlib.util.spec_from_file_location("prepare_tool", ROOT / "datasets/prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_download_is_converted_and_checked(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pascal_voc.make(tmp_path)
    arguments = ["pascal_voc", "--root", str(tmp_path), "--workers", "1"]
    assert tool.main(arguments) == 1  # the miniature has fewer images than the data set
    printed = capsys.readouterr().out
    assert "PASCAL VOC 2012: 4 done, 0 done before, 0 skipped." in printed
    assert "openvocab_pascal21_sem_seg_val: 2 images (expected 1449)" in printed
    assert (tmp_path / ".prepare/pascal_voc/openvocab_pascal20_sem_seg_val.png").exists()
    assert tool.main([*arguments, "--check"]) == 1
    assert "done" not in capsys.readouterr().out


def test_missing_files_are_named(tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["pascal_voc", "--root", str(tmp_path)]) == 2
    assert "error: PASCAL VOC 2012: missing" in capsys.readouterr().err
    assert tool.main(["pascal_voc", "--root", str(tmp_path), "--check"]) == 1
    assert "openvocab_pascal21_sem_seg_val: does not exist." in capsys.readouterr().out
    assert tool.main(["pascal", "--root", str(tmp_path)]) == 2
    assert "pascal_voc" in capsys.readouterr().err


def test_a_damaged_part_is_not_an_optional_part_that_is_missing(
    tool: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ade20k.make(tmp_path)
    monkeypatch.setattr(AuditReport, "complete", True)  # as if the miniature had all images
    arguments = ["ade20k", "--root", str(tmp_path), "--workers", "1"]
    assert tool.main(arguments) == 0
    panoptic = tmp_path / "ADEChallengeData2016/ade20k_panoptic_val.json"
    panoptic.write_text("{", encoding="utf-8")
    assert tool.main([*arguments, "--check"]) == 1
    assert "openvocab_ade20k_panoptic_val: cannot be read. The annotation file" in capsys.readouterr().out
    panoptic.unlink()
    assert tool.main([*arguments, "--check"]) == 0
    assert "openvocab_ade20k_panoptic_val: does not exist." in capsys.readouterr().out


def test_the_list_names_the_source_of_every_data_set(tool: ModuleType, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--list"]) == 0
    printed = capsys.readouterr().out
    for name, converter in converters().items():
        assert f"{name}: {converter.title}" in printed
    for arguments, message in (([], "name a data set"), (["coco", "--workers", "0"], "--workers is 0: at least 1")):
        assert tool.main(arguments) == 2
        assert message in capsys.readouterr().err
