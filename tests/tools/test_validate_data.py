"""The script that checks data sets."""

from pathlib import Path

import pytest
from PIL import Image

from frozenseg.data import DatasetCatalog
from frozenseg.toyworld.export import Recipe, export_split
from tools import validate_data


@pytest.fixture
def root(tmp_path: Path) -> Path:
    export_split(tmp_path / "toyworld" / "train", Recipe("train", 0, 4, 64, 96), quiet=True)
    return tmp_path


def run(root: Path, *arguments: str) -> int:
    output = str(root / "sheets")
    return validate_data.main(["toyworld_train", "--root", str(root), "--output", output, "--workers", "1", *arguments])


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", "put back afterwards")


def test_a_good_data_set(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(root) == 0
    printed = capsys.readouterr().out
    assert "toyworld_train: 4 images; " in printed
    assert "0 problems" in printed
    with Image.open(root / "sheets/toyworld_train.png") as sheet:
        assert sheet.width > 600
    assert run(root, "--sample", "2") == 0
    assert "4 images, 2 of them checked" in capsys.readouterr().out


def test_problems_have_their_exit_code(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "toyworld/train/images/000000000002.jpg").write_bytes(b"broken")
    assert run(root) == 1
    assert "000000000002.jpg cannot be decoded" in capsys.readouterr().out


def test_missing_instance_annotations_are_a_problem(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "toyworld/train/instances.json").unlink()
    assert run(root) == 1
    assert "instances.json does not exist" in capsys.readouterr().out


def test_after_an_unreadable_data_set_the_others_are_checked(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    output = str(root / "sheets")
    arguments = ["toyworld_val_seen", "toyworld_train", "--root", str(root), "--output", output, "--workers", "1"]
    assert validate_data.main(arguments) == 2
    printed = capsys.readouterr()
    assert "toyworld_train: 4 images; " in printed.out
    assert printed.err.startswith("error: toyworld_val_seen: ")


def test_a_missing_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(tmp_path) == 2
    assert "make it in seconds with `frozenseg prepare toyworld --root" in capsys.readouterr().err
    assert validate_data.main([]) == 2


@pytest.mark.parametrize("arguments", [("--workers", "0"), ("--sample", "-1")])
def test_numbers_below_their_minimum_are_refused(
    tmp_path: Path, arguments: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, *arguments) == 2
    error = capsys.readouterr().err
    assert f"{arguments[0]} is {arguments[1]}" in error


def test_a_folder_that_cannot_be_written_to(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "taken").touch()
    assert run(root, "--output", str(root / "taken")) == 2
    assert capsys.readouterr().err.rstrip().endswith("taken is a file): choose another folder.")


def test_the_list_has_every_data_set(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_data.main(["--list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    shown = set()
    for line in lines[2:]:
        name = line.split("`")[1]
        head, _, tail = name.partition("{")
        splits, _, tail = tail.partition("}")
        shown |= {f"{head}{split}{tail}" for split in splits.split(",")}
    assert shown == set(DatasetCatalog.list())
    [ade] = [line for line in lines if "ade20k_panoptic" in line]
    assert [cell.strip() for cell in ade.split("|")[2:-1]][1:3] == ["150", "100 + 50"]
