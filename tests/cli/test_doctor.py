"""``frozenseg doctor``: its facts, its report, and the commands for missing parts."""

import importlib
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from frozenseg.cli import diagnosis
from frozenseg.cli.main import main
from frozenseg.cli.verbs import doctor
from tests.tiny import ROOT


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for variable in ("DETECTRON2_DATASETS", "FROZENSEG_CACHE", "HF_HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    return tmp_path


def test_every_extra_has_a_purpose() -> None:
    section = (ROOT / "pyproject.toml").read_text("utf-8").partition("[project.optional-dependencies]")[2]
    extras = set(re.findall(r"^(\w+) = \[", section.partition("\n[")[0], flags=re.MULTILINE))
    assert set(diagnosis.PURPOSE_OF_EXTRA) == extras - {"dev"}


def test_the_facts_of_a_machine_without_data(empty_machine: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (empty_machine / "HF_HOME/hub").mkdir(parents=True)
    (empty_machine / "HF_HOME/hub/blob").write_bytes(b"12345")
    assert main(["doctor", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["torch"]["devices"][0]["name"] == "cpu"
    assert facts["caches"]["Hugging Face ($HF_HOME)"] == {"folder": f"{empty_machine}/HF_HOME/hub", "bytes": 5}
    assert facts["datasets"]["root"] == str(empty_machine / "DETECTRON2_DATASETS")
    assert not any(of_set["ready"] for of_set in facts["datasets"]["sets"].values())
    assert facts["weights"]["toyworld"]["file"].endswith("frozenseg_tiny.safetensors")
    assert facts["weights"]["frozenseg_r50x64"]["command"].endswith("frozenseg_r50x64 --accept-no-licence")
    commands = {part["name"]: part["command"] for part in facts["missing"]}
    assert commands["ToyWorld"] == "frozenseg prepare toyworld"
    report = "\n".join(doctor.report_lines(facts))
    assert "0 of 33 are ready" in report
    assert "ToyWorld (data for a first training): frozenseg prepare toyworld" in report


def broken(**changes: Any) -> dict[str, Any]:
    facts = {"packages": {"torch": "2.9"}, "torch": {"error": ""}, "extras": {}}
    return {**facts, **changes}


def test_missing_packages_are_required() -> None:
    [part] = diagnosis.missing_parts(broken(packages={"torch": "2.9", "timm": None}))
    assert part == {"name": "timm", "purpose": "required package", "command": "pip install timm", "required": True}
    [part] = diagnosis.missing_parts(broken(torch={"error": "operator torchvision::nms does not exist"}))
    assert part["required"]
    assert "torchvision::nms" in part["purpose"]


def test_a_torch_that_cannot_be_imported_is_reported(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import_module = importlib.import_module

    def fails(name: str) -> ModuleType:
        if name == "torch":
            raise ImportError("libcudart.so.13:\ncannot open")
        return import_module(name)

    monkeypatch.setattr(diagnosis.importlib, "import_module", fails)
    assert main(["doctor"]) == 2
    printed = capsys.readouterr().out
    assert "torch (cannot be imported: libcudart.so.13: cannot open): pip install --force-reinstall" in printed
    assert "data sets in" not in printed


@pytest.mark.parametrize(("size", "text"), [(None, "unknown"), (5, "5 bytes"), (2048, "2.0 KiB"), (3 << 30, "3.0 GiB")])
def test_sizes_have_units(size: int | None, text: str) -> None:
    assert doctor.size_text(size) == text
