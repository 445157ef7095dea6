"""Labelling of mixed images that is killed twice and resumed: every file of the data set has the same bytes."""

import json
from pathlib import Path

import pytest

from frozenseg.cli.main import main
from frozenseg.inference.labelled_data import LabelledData
from frozenseg.inference.result import Result
from frozenseg.inference.run_folder import ImageRecord
from frozenseg.inference.sources.source_image import SourceImage
from lab.labelling.killed_runs import data_files, finished, kill_after
from lab.labelling.mixed_images import write_mixed_images
from tests.tiny import ROOT

IMAGES = 14
FLAGS = ["--words", "red circle; blue square; grass; water", "--stuff", "grass; water", "--skip-bad", "--batch", "3"]
FLAGS += ["--device", "cpu", "--set", "INPUT.MIN_SIZE_TEST", "64", "--min-score", "0.2"]
FLAGS += ["--weights", "toyworld", "--config", "toyworld/frozenseg_tiny"]  # without SAM proposals


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


def command(output: str) -> list[str]:
    return ["label", "photos", *FLAGS, "--output", output]


def interrupt_at(name: str, monkeypatch: pytest.MonkeyPatch, output: str) -> None:
    """Run until the files of an image are written and its record is not."""
    write = LabelledData.write

    def interrupted(data: LabelledData, image: SourceImage, result: Result) -> ImageRecord:
        record = write(data, image, result)
        if image.name == name:
            raise KeyboardInterrupt
        return record

    with monkeypatch.context() as context:
        context.setattr(LabelledData, "write", interrupted)
        assert main(command(output)) == 130


def test_killed_twice_and_resumed_to_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = write_mixed_images(tmp_path / "photos", IMAGES)
    assert main(command("whole")) == 0
    interrupt_at("0/0003.bmp", monkeypatch, "killed")
    assert 0 < finished(Path("killed")) < IMAGES
    killed_at = kill_after(command("killed"), Path("killed"), finished(Path("killed")) + 3)
    capsys.readouterr()
    assert main([*command("killed"), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["skipped"]) == broken == 2
    assert report["done"] + report["finished_before"] == IMAGES - broken
    assert report["finished_before"] in (killed_at, killed_at - 1, killed_at - 2)  # records of skipped images
    whole, killed = data_files(Path("whole")), data_files(Path("killed"))
    assert whole.keys() == killed.keys()
    assert {name for name in whole if whole[name] != killed[name]} == set()
    assert len([name for name in whole if name.endswith(".png")]) == IMAGES - broken
