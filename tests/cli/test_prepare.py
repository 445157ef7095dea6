"""``frozenseg prepare``: generation of ToyWorld, and wrong arguments."""

import json
from pathlib import Path

import pytest

from frozenseg.cli.main import main


def test_toyworld_is_generated(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DETECTRON2_DATASETS", "put back afterwards")
    counts = ["--train", "2", "--val", "1", "--size", "64", "--workers", "1"]
    assert main(["prepare", "toyworld", "--root", str(tmp_path), *counts]) == 0
    assert len(json.loads((tmp_path / "toyworld/train/panoptic.json").read_text())["images"]) == 2
    assert "2 train, 1 val_seen, 1 val_unseen images of 64×64 pixels" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ([], "No data set is named"),
        (["ade20"], "Did you mean 'ade20k'"),
        (["coco", "--train", "3"], "--train is a flag of toyworld, not of coco"),
        (["toyworld", "--check"], "`frozenseg validate toyworld_train` checks ToyWorld"),
        (["toyworld", "--workers", "0"], "--workers is 0"),
    ],
)
def test_wrong_arguments(line: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prepare", *line]) == 2
    assert message in capsys.readouterr().err
