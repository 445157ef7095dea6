"""The measurements of labelling, on a few small images."""

import json
from pathlib import Path

import pytest

from lab.labelling.mixed_images import KINDS, write_mixed_images
from tools.benchmark_labelling import main

SMALL = ["--images", "10", "--size", "64", "--pairs", "1"]


def test_ratios_of_throughput_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["throughput", *SMALL, "--output", str(tmp_path / "numbers.json")]) == 0
    numbers = json.loads(capsys.readouterr().out)
    assert numbers == json.loads((tmp_path / "numbers.json").read_text(encoding="utf-8"))
    assert numbers["ratio"] == numbers["ratios"][0] > 0


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="memory is read from /proc")
def test_memory_is_measured_after_each_tenth(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["memory", *SMALL]) == 0
    resident = json.loads(capsys.readouterr().out)["resident_mib"]
    assert list(resident) == [str(number) for number in range(1, 11)]
    assert min(resident.values()) > 50


def test_mixed_images_have_every_kind(tmp_path: Path) -> None:
    assert write_mixed_images(tmp_path, len(KINDS)) == 2
    assert len(list(tmp_path.rglob("*.*"))) == len(KINDS)


def test_wrong_numbers(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["memory", "--images", "3"])
    assert "expected a whole number from 10" in capsys.readouterr().err
