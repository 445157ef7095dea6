"""Two processes in turn: medians, ratios of pairs, differences of results, and the connection to a process."""

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from frozenseg.errors import FrozenSegError
from lab.model_timing import checkout_process
from lab.model_timing.case import Case
from lab.model_timing.checkout_process import checkout_processes
from lab.model_timing.paired_rounds import Difference, Ratio, compare_results, time_case

CASE = Case(64, 96, 5, 1, 64, 96)


class RecordedProcess:
    """Stand-in for a process with times from a list."""

    def __init__(self, name: str, seconds: list[float], log: list[str]) -> None:
        self.name, self.seconds, self.log = name, seconds, log

    def run(self, case: Case, keep: Path | None = None) -> dict[str, Any]:
        """Return the next time; half of it is CLIP's."""
        self.log.append(self.name)
        if keep:
            torch.save({"masks": torch.tensor([float(len(self.name))])}, keep)
        seconds = self.seconds.pop(0)
        return {"seconds": seconds, "parts": {"CLIP": seconds / 2}, "memory": [100, 300]}


def test_processes_run_in_turn_and_pairs_are_compared(tmp_path: Path) -> None:
    log: list[str] = []
    this = RecordedProcess("a", [9.0, 1.0, 2.0, 4.0], log)
    other = RecordedProcess("bb", [9.0, 3.0, 2.0, 8.0], log)
    times = time_case([this, other], CASE, 3, tmp_path)
    assert log == ["a", "bb"] * 4
    assert times.median("whole") == 2.0
    assert times.median("CLIP", checkout=1) == 1.5
    assert times.median("SAM") is None
    assert times.ratio("whole") == Ratio(2.0, 1.0, 3.0)
    assert str(times.ratio("rest")) == "2.00 (1.00-3.00)"
    assert times.ratio("SAM") is None
    assert times.memory == [[100, 300], [100, 300]]
    assert times.differences == [Difference("masks", 1.0, 1.0)]
    numbers = times.as_json({"CLIP": 0.5})
    assert numbers["ratios"]["whole"] == {"median": 2.0, "lowest": 1.0, "highest": 3.0}
    assert numbers["floor"] == {"CLIP": 0.5}


def test_one_checkout_has_no_ratios(tmp_path: Path) -> None:
    times = time_case([RecordedProcess("a", [9.0, 1.0], [])], CASE, 1, tmp_path)
    assert times.ratio("whole") is None
    assert times.differences == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("this", "other", "expected"),
    [
        (torch.tensor([1.0, 3.0]), torch.tensor([1.5, 3.0]), (0.5, 2**0.5)),
        (torch.tensor([1, 2, 3, 4]), torch.tensor([1, 2, 3, 5]), (0.25, 1.0)),
        (torch.tensor([True, False]), torch.tensor([False, True]), (1.0, 1.0)),
        (torch.tensor(-4.0), torch.tensor(-4.0), (0.0, 4.0)),
        (torch.zeros(2), torch.zeros(3), (math.inf, 1.0)),
        (torch.zeros(0), torch.zeros(0), (0.0, 1.0)),
    ],
)
def test_differences(this: torch.Tensor, other: torch.Tensor, expected: tuple[float, float]) -> None:
    [difference] = compare_results({"x": this}, {"x": other})
    assert difference == ("x", *map(pytest.approx, expected))


WORKER = """
import json, sys, frozenseg
for line in sys.stdin:
    request = json.loads(line)
    if request["request"] == "fail":
        sys.exit(3)
    print(json.dumps({"package": frozenseg.FOLDER, "device": "cpu", "seconds": 1.5, "parts": {}}), flush=True)
"""


def test_a_process_runs_the_package_of_its_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, content in (("this/tools/worker.py", WORKER), ("other/frozenseg/__init__.py", f"FOLDER = '{tmp_path}'")):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(content)
    monkeypatch.setattr(checkout_process, "ROOT", tmp_path / "this")
    monkeypatch.setattr(checkout_process, "MODULE", "worker")
    with checkout_processes({"other": tmp_path / "other"}) as [process]:
        with pytest.raises(FrozenSegError, match=r"The process of other has imported .*, expected .*other/frozenseg"):
            process.open()
        answer = process.run(CASE)
        assert answer["seconds"] == 1.5
        assert 0 <= answer["memory"][0] <= answer["memory"][1]
        with pytest.raises(FrozenSegError, match="has ended with code 3 at the request 'fail'"):
            process.request("fail")


def test_a_folder_without_the_package_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FrozenSegError, match="There is no package frozenseg in"), checkout_processes({"x": tmp_path}):
        pass
