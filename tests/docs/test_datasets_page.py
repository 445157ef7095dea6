"""Page datasets/README.md: its Python runs, its table is the output of the tool, every converter is mentioned."""

import re
from pathlib import Path

import pytest

from frozenseg.data import DatasetCatalog, MetadataCatalog, vocabulary_of
from frozenseg.data.prepare.converter import converters
from tests.tiny import ROOT
from tools import validate_data

PAGE = (ROOT / "datasets/README.md").read_text(encoding="utf-8")


def test_the_example_of_a_custom_data_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    [block] = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    try:
        exec(compile(block, "datasets/README.md", "exec"), {})
        assert vocabulary_of("farm_val").classes == (("tractor", "farm vehicle"), ("field", "farmland"))
        assert MetadataCatalog.get("farm_val").image_root == str(tmp_path / "farm/images")
    finally:
        DatasetCatalog.remove("farm_val")
        MetadataCatalog.remove("farm_val")


def test_the_table_is_the_output_of_the_tool(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_data.main(["--list"]) == 0
    assert capsys.readouterr().out.strip() in PAGE


@pytest.mark.parametrize("name", converters())
def test_every_converter_has_its_command(name: str) -> None:
    assert f"python datasets/prepare.py {name}" in PAGE
