"""tools/measure_export.py: the scores of both, and the exit code."""

from pathlib import Path

import pytest

from frozenseg.inference.predictor import Segmenter
from lab.export_quality import measure, memory
from tests.export.conftest import toyworld_segmenter
from tools import measure_export


def test_both_are_scored_on_the_same_scenes(
    exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    segmenter = toyworld_segmenter()
    monkeypatch.setattr(Segmenter, "from_pretrained", lambda *_, **__: segmenter)
    command = ["--exported", str(exported), "--scenes", "2", "--work", str(tmp_path)]
    assert measure_export.main(command) == 0
    printed = capsys.readouterr().out
    assert "PyTorch" in printed
    scores = [float(line.split()[1]) for line in printed.splitlines() if line.startswith(("PyTorch", "onnxruntime"))]
    assert scores[0] > 10
    assert scores[1] == pytest.approx(scores[0], abs=0.1)
    assert "on 2 scenes" in printed


def test_the_memory_of_an_export_is_that_of_its_process(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    allocate = "import sys; block = b'1' * (300 << 20); print(*sys.argv[1:]); sys.exit(1)"
    monkeypatch.setattr(memory, "COMMAND", allocate)
    assert measure_export.main(["--memory", "--words", "cat; dog", "--output", "x"]) == 1  # the check has failed
    printed, measured = capfd.readouterr().out.splitlines()
    assert printed == "export --words cat; dog --output x"
    assert float(measured.split()[3]) >= 0.3


def test_an_interpreter_that_cannot_run_the_export_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_images", lambda _: [])
    with pytest.raises(ValueError, match=r"(?s)cannot run the export: .*No module named 'runtime'"):
        measure._of_runtime(tmp_path / "none", tmp_path, tmp_path / "out", measure_export.sys.executable)
