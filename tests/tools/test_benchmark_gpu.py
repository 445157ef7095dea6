"""The script of all GPU timings: its stages, their time limits, failures that do not stop it, and the table."""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from lab.operator_timing.summary import summary
from tests.tiny import ROOT

SCRIPT = ROOT / "tools/benchmark_gpu.sh"
MINUTES = 8
# stands for the interpreter: fails for one stage, exceeds the limit of another, and writes down its arguments
INTERPRETER = """#!/bin/sh
echo "$@" >> "$(dirname "$0")/calls"
case "$*" in
    *r50_fast*) echo "error: no memory" ; exit 3 ;;
esac
"""


def run(*arguments: str, python: Path | str = "python") -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, "PYTHON": str(python)}
    command = ["bash", str(SCRIPT), *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def test_limits_sum_to_eight_minutes() -> None:
    listed = run("--list", "--wheels", "wheels").stdout.splitlines()
    limits = [int(re.split(r"\s+", line)[1]) for line in listed]
    assert len(limits) == 14
    assert sum(limits) <= 60 * MINUTES
    for model in ("frozenseg", "convnext", "r50"):
        assert {f"{model}_full", f"{model}_fast", f"{model}_compiled"} <= {line.split()[0] for line in listed}


def test_a_stage_that_fails_is_named_and_the_others_run(tmp_path: Path) -> None:
    python = tmp_path / "python"
    python.write_text(INTERPRETER, encoding="utf-8")
    python.chmod(0o755)
    done = run("--output", str(tmp_path / "out"), "--dry-run", python=python)
    calls = (tmp_path / "calls").read_text(encoding="utf-8").splitlines()
    assert len(calls) == 13
    assert all("MODEL.DEVICE cpu" in call for call in calls if "benchmark_model.py" in call)
    assert "r50_fast: FAILED with code 3\nerror: no memory" in done.stdout
    assert done.stdout.splitlines()[-1] == "failed: r50_fast"
    assert done.returncode == 1


def test_selected_stages_and_unknown_arguments(tmp_path: Path) -> None:
    assert [line.split()[0] for line in run("--list", "--stages", "operator,table").stdout.splitlines()] == [
        "operator", "table",
    ]  # fmt: skip
    refused = run("--outptu", str(tmp_path))
    assert (refused.returncode, "Unknown argument '--outptu'" in refused.stderr) == (2, True)


@pytest.mark.parametrize("stages", [(), ("operator",), ("model", "training_full", "operator")])
def test_table(stages: tuple[str, ...], tmp_path: Path) -> None:
    case = {"case": {"batch": 8}, "seconds": [{"whole": 0.5, "CLIP": 0.2}], "memory": [[0, 2**31]]}
    model = {"hardware": {"hardware": "H200", "torch": "2.11"}, "cases": [case]}
    timing = {"implementation": "triton", "dtype": "float16", "work": "forward", "seconds": 1e-3, "bytes": 10**9}
    operator = {"device": "H200", "torch": "2.11", "copy_bytes_per_second": 4e12, "timings": [timing]}
    for name in stages:
        (tmp_path / f"{name}.json").write_text(json.dumps(operator if name == "operator" else model), "utf-8")
    text = summary(tmp_path)
    assert text.startswith("H200, PyTorch 2.11" if stages else "no stage has finished")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line[:1] == "|"]
    assert (["triton", "float16", "forward", "1", "1000", "1e+03", "4.0"] in rows) == ("operator" in stages)
    assert any(row[:4] == ["model", "8", "500", "200"] and row[-1] == "2.00" for row in rows) == ("model" in stages)
    assert any(row[:3] == ["training_full", "8", "500"] for row in rows) == ("training_full" in stages)
