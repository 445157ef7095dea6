"""Equality of training, whether processes or parts or both divide the images of a step."""

import json
from pathlib import Path

import pytest
import torch

from frozenseg.config import load_config
from frozenseg.engine.processes.launch import Processes, launch
from frozenseg.engine.run import run
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT

STEPS = 10
OPTIONS = [
    *NARROW, "SOLVER.IMS_PER_BATCH", 4, "SOLVER.MAX_ITER", STEPS, "SOLVER.WARMUP_ITERS", 1, "INPUT.IMAGE_SIZE", 64,
    # AdamW would amplify the rounding of gradients that are nearly zero
    "SOLVER.OPTIMIZER", "SGD", "SOLVER.BASE_LR", 0.02, "MODEL.DEVICE", "cpu", "DATASETS.TEST", [], "LOG_PERIOD", 1,
]  # fmt: skip


def train(folder: str, name: str, *options: object) -> int:
    """Train the tiny model; a module-level function, so that other processes can import it."""
    torch.set_num_threads(1)
    config = ROOT / "configs/toyworld/frozenseg_tiny.yaml"
    return run(load_config(config, [*OPTIONS, "OUTPUT_DIR", f"{folder}/{name}", *options]), False, False)


def train_twice(folder: str) -> int:
    """Train with the share of a process in one part, and in two parts."""
    return train(folder, "2x2") + train(folder, "2x1x2", "SOLVER.IMAGES_AT_ONCE", 1)


def losses(folder: Path) -> list[dict[str, float]]:
    lines = map(json.loads, (folder / "metrics.json").read_text().splitlines())
    return [{name: line[name] for name in line if "loss" in name or name == "grad_norm"} for line in lines]


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "model_final.pth", weights_only=True)["model"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the same training in four ways, on wide and tall images with few and many objects."""
    folder = tmp_path_factory.mktemp("equality")
    export_split(folder / "toyworld" / "train", Recipe("train", 0, 10, 64, 64), quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(folder))
        assert train(str(folder), "1x4") == 0
        assert train(str(folder), "1x2x2", "SOLVER.IMAGES_AT_ONCE", 2) == 0
        assert launch(train_twice, (str(folder),), Processes(per_machine=2)) == 0
    return folder


@pytest.mark.parametrize("name", ["1x2x2", "2x2", "2x1x2"])
def test_losses_and_weights_are_the_same(runs: Path, name: str) -> None:
    expected, actual = losses(runs / "1x4"), losses(runs / name)
    assert len(actual) == STEPS
    for iteration, (expected_line, line) in enumerate(zip(expected, actual, strict=True), 1):
        assert line == pytest.approx(expected_line, rel=1e-5), iteration
    actual_weights = weights(runs / name)
    for weight, value in weights(runs / "1x4").items():
        assert (actual_weights[weight] - value).abs().max() < 1e-5, weight


def test_the_log_names_processes_and_parts(runs: Path) -> None:
    log = (runs / "2x1x2" / "log.txt").read_text()
    assert "Images a step: 4 = processes 2 × images at once 1 × 2 parts" in log
