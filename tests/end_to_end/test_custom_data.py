"""Custom data from the command line in three formats: training, evaluation with custom class names, inspection."""

import json
from pathlib import Path
from typing import Any

import pytest

from frozenseg.toyworld.categories import seen_categories
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT
from tools.train_net import main
from tools.validate_data import main as validate

SMALL = [
    *NARROW, "SOLVER.IMS_PER_BATCH", 2, "SOLVER.WARMUP_ITERS", 1, "SOLVER.MAX_ITER", 1, "INPUT.IMAGE_SIZE", 64,
    "INPUT.MIN_SIZE_TEST", 64, "MODEL.DEVICE", "cpu", "DATALOADER.NUM_WORKERS", 0,
]  # fmt: skip
FOLDER = "folder:farm/images?labels=farm/semantic&classes=farm/classes.txt"
PANOPTIC = "coco-panoptic:farm/panoptic.json?images=farm/images"
INSTANCES = "coco-instances:farm/instances.json?images=farm/images&name=objects"


@pytest.fixture(autouse=True)
def _farm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Export two images to the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path / "none"))
    export_split(Path("farm"), Recipe("val_seen", 0, 2, 64, 64), quiet=True)
    lines = [f"{index + 1}:{','.join(kind.names)}\n" for index, kind in enumerate(seen_categories())]
    Path("names.txt").write_text("".join(lines), encoding="utf-8")
    Path("farm/classes.txt").write_text("".join(line.partition(":")[2] for line in lines), encoding="utf-8")


def train_net(*arguments: Any) -> int:
    config = str(ROOT / "configs/toyworld/fcclip_tiny.yaml")
    return main(["--config-file", config, *map(str, arguments), *map(str, SMALL), "OUTPUT_DIR", "out"])


@pytest.mark.parametrize("name", [FOLDER, PANOPTIC, INSTANCES], ids=["folder", "panoptic", "instances"])
def test_a_step_of_training(name: str) -> None:
    assert train_net("DATASETS.TRAIN", [name], "DATASETS.TEST", []) == 0
    losses = json.loads(Path("out/metrics.json").read_text(encoding="utf-8").splitlines()[-1])
    assert losses["total_loss"] > 0
    assert losses["loss_mask"] > 0  # there were targets


def test_evaluation_with_custom_class_names(capsys: pytest.CaptureFixture[str]) -> None:
    sets = ["DATASETS.TRAIN", [FOLDER], "DATASETS.TEST", [FOLDER, PANOPTIC, INSTANCES]]
    assert train_net(*sets, "--eval-only", "--vocabulary", "names.txt") == 2
    assert "DATASETS.TEST has 3 data sets: write NAME=" in capsys.readouterr().err
    assert train_net(*sets, "--eval-only", "--vocabulary", f"{FOLDER}=names.txt") == 0
    assert {path.name for path in Path("out/data").iterdir()} == {
        "farm_images.png",
        "farm_panoptic.png",
        "objects.png",
    }
    results = json.loads(Path("out/inference/results.json").read_text(encoding="utf-8"))
    assert {name: set(tasks) - {"per_class", "about"} for name, tasks in results.items()} == {
        "farm_images": {"sem_seg"},
        "farm_panoptic": {"panoptic_seg"},
        "objects": {"segm"},
    }
    assert "prompted with the class names of names.txt, 20 classes" in Path("out/log.txt").read_text(encoding="utf-8")
    assert train_net("DATASETS.TRAIN", [FOLDER], "DATASETS.TEST", [FOLDER, f"{FOLDER}&ignore=254"], "--eval-only") == 2
    assert "have the name farm_images: add &name=" in capsys.readouterr().err


def test_validation_of_custom_data(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate([FOLDER, PANOPTIC, INSTANCES, "--workers", "1", "--output", "sheets"]) == 0
    assert "farm_images: 2 images" in capsys.readouterr().out
    assert sorted(path.name for path in Path("sheets").iterdir()) == [
        "farm_images.png", "farm_panoptic.png", "objects.png",
    ]  # fmt: skip
