"""The script: its files, its output and its errors."""

import importlib.util
import json
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "make_toyworld.py"


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("make_toyworld", TOOL)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def arguments(root: Path, **changes: str) -> list[str]:
    values = {"seed": "1", "train": "3", "val": "2", "workers": "1", **changes}
    return ["--root", str(root), *(part for name, value in values.items() for part in (f"--{name}", value))]


@pytest.mark.parametrize(("root", "folder"), [("datasets", "datasets/toyworld"), ("a/toyworld", "a/toyworld")])
def test_it_writes_three_splits_and_a_preview(tool, tmp_path, capsys, root, folder):
    assert tool.main(arguments(tmp_path / root)) == 0
    world = tmp_path / folder
    counts = {
        split: len(json.loads((world / split / "panoptic.json").read_text(encoding="utf-8"))["images"])
        for split in ("train", "val_seen", "val_unseen")
    }
    assert counts == {"train": 3, "val_seen": 2, "val_unseen": 2}
    assert (world / "preview.png").is_file()
    assert (
        f"3 train, 2 val_seen, 2 val_unseen images of 128×128 pixels, difficulty 0, in {world}"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize("change", [{"train": "0"}, {"seed": "-3"}, {"size": "20"}, {"difficulty": "4"}])
def test_wrong_arguments_are_refused_before_anything_is_written(tool, tmp_path, capsys, change):
    assert tool.main(arguments(tmp_path, **change)) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ToyWorld")
    assert error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_help_teaches(tool, capsys):
    with pytest.raises(SystemExit) as stop:
        tool.parse_arguments(["--help"])
    assert stop.value.code == 0
    assert "python tools/make_toyworld.py --root datasets --seed 0 --train 2000 --val 200" in capsys.readouterr().out
