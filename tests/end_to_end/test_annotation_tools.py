"""Commands of docs/annotation_tools.md on small exports: ground truth as its own prediction has AP 100."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.end_to_end.tool_exports import EXPORTS, cvat_masks, predictions
from tests.fuzz.use_of_files import first_batch
from tests.tiny import ROOT
from tools import evaluate_predictions, validate_data

PAGE = (ROOT / "docs/annotation_tools.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line)[1:] for block in re.findall(r"^```bash\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    for line in block.splitlines()
]  # fmt: skip
WITH_A_BOX = ("label_studio", "roboflow", "coco_annotator", "fiftyone")


def arguments_of(script: str, tool: str) -> list[str]:
    """Return the arguments of the command of a script for a tool's folder."""
    [arguments] = [command[1:] for command in COMMANDS if script in command[0] and f"{tool}/" in " ".join(command)]
    return arguments


def test_every_tool_has_its_commands() -> None:
    assert len(COMMANDS) == 2 * len(EXPORTS) + 1
    assert {command[0] for command in COMMANDS} == {"tools/validate_data.py", "tools/evaluate_predictions.py"}


@pytest.mark.parametrize("tool", EXPORTS)
def test_ground_truth_as_its_own_prediction(tool: str, tmp_path: Path, monkeypatch, capsys, caplog) -> None:
    monkeypatch.chdir(tmp_path)
    export = EXPORTS[tool](tmp_path / tool)
    predictions(tmp_path / "predictions.json", json.loads(export.read_text()))
    command = arguments_of("evaluate_predictions", tool)
    assert evaluate_predictions.main([*command, "--output", "scores.json"]) == 0, capsys.readouterr().err
    assert json.loads(Path("scores.json").read_text())["segm"]["AP"] == pytest.approx(100)
    report = "".join(capsys.readouterr()) + caplog.text
    assert ("1 of 5 objects" in report) == (tool in WITH_A_BOX), report

    [name] = arguments_of("validate_data", tool)
    assert validate_data.main([name, "--workers", "1"]) == 0, "".join(capsys.readouterr())
    assert [len(sample["instances"]) for sample in first_batch(name)] == [2, 2]


def test_colour_masks_of_cvat(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    cvat_masks(tmp_path / "cvat_masks")
    [name] = arguments_of("validate_data", "cvat_masks")
    assert validate_data.main([name, "--workers", "1"]) == 0, "".join(capsys.readouterr())
    assert "3 of 3 classes" in capsys.readouterr().out
