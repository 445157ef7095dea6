"""The timing of the metrics: both implementations agree on small images, and the numbers are written."""

import gc
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.metric_timing import usual_metrics
from tools.benchmark_evaluation import main

SMALL = ["--size", "64", "96", "--images", "2"]


@pytest.fixture(autouse=True)
def _quick_garbage_collection() -> Iterator[None]:
    """Leave the objects of all tests before out of the collections between the timed runs."""
    gc.freeze()
    yield
    gc.unfreeze()


def test_timed_results_agree_and_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--only", "pq", "miou150", "ap", "--output", str(tmp_path / "speed.json")]) == 0
    printed = capsys.readouterr().out
    written = json.loads((tmp_path / "speed.json").read_text())
    assert (written["size"], written["images"]) == ([64, 96], 2)
    assert len(written["rows"]) == 7
    for row in written["rows"]:
        assert row["ratio"] == pytest.approx(row["usual"] / row["ours"])
        assert row["what"] in printed


def test_times_of_different_results_are_not_compared(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(usual_metrics.UsualPQ, "quality", lambda self: 12.5)
    assert main([*SMALL, "--only", "pq"]) == 2
    assert "The usual implementation gives 12.5 %, ours" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--images", "1"], ["--size", "8", "8"], ["--only", "speed"]])
def test_wrong_arguments_are_refused(wrong: list[str]) -> None:
    with pytest.raises(SystemExit):
        main(wrong)
