"""The scripts that time a model and a training step: tables, numbers in a file, and wrong arguments."""

import contextlib
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.model_timing import checkout_process
from lab.model_timing.case import Case
from lab.model_timing.worker import Worker
from tests.tiny import NARROW, ROOT
from tools import benchmark_model, benchmark_text, benchmark_training

CONFIG = ["--config-file", str(ROOT / "configs/toyworld/fcclip_tiny.yaml")]
OPTIONS = [str(option) for option in (*NARROW, "MODEL.DEVICE", "cpu")]


class WorkerInThisProcess:
    """Stand-in for the connection to a process."""

    def __init__(self, name: str) -> None:
        self.name, self.worker, self.hardware = name, Worker(), dict[str, Any]()

    def open(self, **arguments: Any) -> None:
        """Build the model."""
        self.hardware = self.worker.open(**arguments)

    def run(self, case: Case, keep: Path | None = None) -> dict[str, Any]:
        """Run a case once."""
        self.worker.prepare(list(case))
        return {**self.worker.run(str(keep or "")), "memory": [2**30, 2**31]}

    def request(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Return the answer to a request."""
        return getattr(self.worker, name)(**arguments)


@pytest.fixture(autouse=True)
def _in_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    @contextlib.contextmanager
    def processes(checkouts: dict[str, Path]) -> Iterator[list[WorkerInThisProcess]]:
        yield [WorkerInThisProcess(name) for name in checkouts]

    monkeypatch.setattr(checkout_process, "checkout_processes", processes)
    monkeypatch.setitem(Worker.gemm.__globals__, "GEMM_SIZE", {"cpu": 64})


def test_a_model_against_the_same_checkout(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sizes = ["--sizes", "64x64", "--output-size", "32x32", "--classes", "4", "--rounds", "2"]
    file = tmp_path / "times.json"
    arguments = [*CONFIG, *sizes, "--against", str(ROOT), "--json", str(file), "--here-only", "SEED", "1"]
    assert benchmark_model.main([*arguments, *OPTIONS]) == 0
    [case] = json.loads(file.read_text())["cases"]
    assert case["case"]["output_height"] == 32
    assert all(row["largest"] == 0 for row in case["differences"])
    assert case["ratios"]["whole"]["median"] > 0
    assert 0 < case["floor"]["pixel decoder"] < case["floor"]["whole"]
    printed = capsys.readouterr().out
    assert "64x64 -> 32x32, 4 classes, batch 1" in printed
    for column in ("ratio (range)", "x floor", "transformer decoder", "this 1.00 GiB above 1.00 GiB", "mask logits"):
        assert column in printed


def test_text_embeddings_of_two_checkouts_agree(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "times.json"
    arguments = [*CONFIG, "--classes", "3", "--rounds", "1", "--against", str(ROOT), "--json", str(file)]
    assert benchmark_text.main([*arguments, *OPTIONS]) == 0
    [case] = json.loads(file.read_text())["cases"]
    assert [(row["name"], row["largest"]) for row in case["differences"]] == [("text embeddings", 0)]
    assert case["ratios"]["whole"]["median"] > 0
    assert "3 class names: " in capsys.readouterr().out


def test_growth_of_a_training_step(capsys: pytest.CaptureFixture[str]) -> None:
    cases = ["--sizes", "64x64,64x96", "--classes", "4", "--masks", "1", "--rounds", "1"]
    assert benchmark_training.main([*CONFIG, *cases, *OPTIONS]) == 0
    printed = capsys.readouterr().out
    assert "64x96, 4 classes, batch 1, 1 target masks each" in printed
    rows = printed.partition("seconds of each part")[2].splitlines()
    assert [line.split()[0] for line in rows if line.strip()][-2:] == ["64x64", "64x96"]
    assert "backward" in rows[2]


def test_commands_of_the_page_are_understood() -> None:
    lines = (ROOT / "docs/speed.md").read_text(encoding="utf-8").splitlines()
    scripts = {"tools/benchmark_model.py": benchmark_model, "tools/benchmark_training.py": benchmark_training}
    commands = [shlex.split(line) for line in lines if line.startswith("python tools/")]
    commands = [command for command in commands if command[1] in scripts]
    assert {command[1] for command in commands} == set(scripts)
    for _, script, *arguments in commands:
        assert scripts[script].parse_arguments(arguments).config_file.is_file()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["--sizes", "64"], "--sizes '64' is not a size: give height x width"),
        (["--output-size", "4"], "--output-size '4' is not a size"),
        (["--json", "README.md/numbers.json"], "README.md"),
    ],
)
def test_mistakes_are_one_sentence_and_exit_code_2(
    wrong: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert benchmark_model.main([*CONFIG, *wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error


@pytest.mark.parametrize("wrong", [["--classes", "0"], ["--batches", "1,x"], ["--rounds", "0"]])
def test_wrong_numbers_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        benchmark_model.main([*CONFIG, *wrong])
