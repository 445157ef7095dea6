"""``tools/benchmark_page.py`` prints the time of every step."""

import re

import pytest

from tools.benchmark_page import main

SMALL = ["--rounds", "1", "--clicks", "2", "--size", "64", "96"]


def test_every_step_has_its_time(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(SMALL) == 0
    rows = [re.split(r"\s{2,}", line.strip()) for line in capsys.readouterr().out.splitlines()[1:]]
    assert [row[0] for row in rows] == [
        "image and first names", "one changed name", "other names", "first click", "click"]  # fmt: skip
    assert all(float(row[1]) > 0 for row in rows)
    assert rows[1][3].endswith("×")


def test_an_unknown_model_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*SMALL, "--weights", "toyworldd"]) == 2
    assert "toyworldd" in capsys.readouterr().err
