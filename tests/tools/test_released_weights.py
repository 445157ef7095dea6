"""README's command for released weights, and a training that starts from them, on tiny files in their form."""

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from frozenseg.config.yaml_files import flatten
from frozenseg.modeling.build import build_model
from frozenseg.modeling.checkpoint_file import read_checkpoint
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT, TRAINING, tiny_config
from tools.train_net import main

PRINTED = "python tools/train_net.py --eval-only --config-file configs/coco/panoptic-segmentation/frozenseg/"
LEVELS = "MODEL.SEM_SEG_HEAD.SAM_ENCODER_LEVELS"
CONFIG = str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")
SMALL = [
    *map(str, NARROW), "SOLVER.IMS_PER_BATCH", "2", "INPUT.IMAGE_SIZE", "64", "INPUT.MIN_SIZE_TEST", "64",
    "DATALOADER.NUM_WORKERS", "0", "MODEL.DEVICE", "cpu", "DATASETS.TEST", "['toyworld_val_unseen']",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val_unseen"):
        export_split(tmp_path / "toyworld" / split, Recipe(split, 0, 2, 64, 64), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """Return a file with all weights, three levels in the SAM branch, and another CLIP than the config's."""
    model = build_model(tiny_config("FrozenSeg", LEVELS, 3, "MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random:9"), TRAINING)
    torch.save({"model": model.state_dict()}, tmp_path / "released.pth")
    return tmp_path / "released.pth"


def train_net(*arguments: Any) -> int:
    return main(["--config-file", CONFIG, *map(str, arguments), *SMALL])


def levels(config: str) -> int:
    return int(yaml.safe_load(config)["MODEL"]["SEM_SEG_HEAD"]["SAM_ENCODER_LEVELS"])


def test_released_weights_are_evaluated_by_the_printed_command(released: Path, tmp_path: Path) -> None:
    page = (ROOT / "GETTING_STARTED.md").read_text(encoding="utf-8")
    line = next(line for line in page.splitlines() if line.startswith(PRINTED))
    command = [str(released) if word == "FILE" else word for word in line.split()[2:]]
    sizes = [str(item) for pair in flatten(tiny_config("FrozenSeg").MODEL, "MODEL", "MODEL.") for item in pair]
    sizes = [item for pair in zip(sizes[::2], sizes[1::2], strict=True) if pair[0] != LEVELS for item in pair]
    data = ["DATASETS.TRAIN", "['toyworld_train']", "OUTPUT_DIR", str(tmp_path / "out")]
    assert main([*command, *sizes, *SMALL, *data]) == 0
    log = (tmp_path / "out/log.txt").read_text(encoding="utf-8")
    assert log.count(f"{LEVELS} is 3, from the shapes of the weights in {released} (default 1).") == 1
    assert levels((tmp_path / "out/config.yaml").read_text(encoding="utf-8")) == 3


def test_a_key_that_contradicts_released_weights_is_named(
    released: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_net("--eval-only", "--weights", released, "OUTPUT_DIR", tmp_path / "out", LEVELS, 1) == 2
    assert f"Set {LEVELS} 3 (now 1)." in capsys.readouterr().err


def test_training_from_released_weights_resumes_and_is_evaluated(released: Path, tmp_path: Path) -> None:
    run = ["OUTPUT_DIR", tmp_path / "run", "SOLVER.WARMUP_ITERS", 0, "TEST.EVAL_PERIOD", 0]
    assert train_net("--weights", released, *run, "SOLVER.MAX_ITER", 1) == 0
    assert train_net("--resume", *run, "SOLVER.MAX_ITER", 2) == 0
    final = tmp_path / "run/model_final.pth"
    checkpoint = read_checkpoint(final)
    assert levels(checkpoint["config"]) == 3
    name = "backbone.clip_model.text_projection"
    assert torch.equal(checkpoint["model"][name], read_checkpoint(released)["model"][name])
    assert train_net("--eval-only", "--weights", final, "OUTPUT_DIR", tmp_path / "out") == 0
    results = (tmp_path / "out/inference/results.json").read_text(encoding="utf-8")
    assert checkpoint["frozen"]["backbone"] in results
