"""The benchmark of the metrics: both ways agree on small pictures, and the numbers are written."""

import json

import pytest

from lab.metric_timing import usual
from tools.benchmark_evaluation import main

SMALL = ["--size", "64", "96", "--images", "2"]


def test_all_that_is_timed_agrees_and_is_told(tmp_path, capsys):
    assert main([*SMALL, "--only", "pq", "miou150", "ap", "--output", str(tmp_path / "speed.json")]) == 0
    told = capsys.readouterr().out
    written = json.loads((tmp_path / "speed.json").read_text())
    assert (written["size"], written["images"]) == ([64, 96], 2)
    assert len(written["rows"]) == 7
    for row in written["rows"]:
        assert row["ratio"] == pytest.approx(row["usual"] / row["ours"])
        assert row["what"] in told


def test_times_of_different_results_are_not_compared(monkeypatch, capsys):
    monkeypatch.setattr(usual.UsualPQ, "quality", lambda self: 12.5)
    assert main([*SMALL, "--only", "pq"]) == 2
    assert "The usual way gives 12.5 %, ours" in capsys.readouterr().err


@pytest.mark.parametrize("wrong", [["--images", "1"], ["--size", "8", "8"], ["--only", "speed"]])
def test_what_cannot_be_timed_is_refused(wrong):
    with pytest.raises(SystemExit):
        main(wrong)
