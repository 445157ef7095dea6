"""The trainer on one page: the same losses and weights as the one with hooks, to the last bit."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT
from tools import plain_train_net, train_net

OPTIONS = [
    "--config-file", ROOT / "configs/toyworld/frozenseg_tiny.yaml", *NARROW, "SOLVER.IMS_PER_BATCH", 2,
    "SOLVER.WARMUP_ITERS", 1, "SOLVER.CHECKPOINT_PERIOD", 2, "INPUT.IMAGE_SIZE", 64, "MODEL.DEVICE", "cpu",
    "DATASETS.TEST", "[]", "LOG_PERIOD", 1, "SOLVER.MAX_ITER", 4, "MODEL.MASK_FORMER.DROPOUT", 0.1,
    "SOLVER.IMAGES_AT_ONCE", 1,
]  # fmt: skip
Main = Callable[[list[str]], int]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return a folder with a run of each trainer, ``hooks`` and ``plain``."""
    folder = tmp_path_factory.mktemp("runs")
    for split in ("train", "val_seen"):
        export_split(folder / "toyworld" / split, Recipe(split, 0, 4, 64, 64), quiet=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DETECTRON2_DATASETS", str(folder))
        assert run(train_net.main, folder / "hooks") == 0
        assert run(plain_train_net.main, folder / "plain") == 0
        yield folder


def run(main: Main, folder: Path, *options: Any) -> int:
    return main([str(word) for word in (*OPTIONS, "OUTPUT_DIR", folder, *options)])


def logged_losses(folder: Path) -> dict[int, dict[str, float]]:
    lines = map(json.loads, (folder / "metrics.json").read_text().splitlines())
    kept = ("loss", "lr", "grad_norm")
    return {line["iteration"]: {k: v for k, v in line.items() if k.endswith(kept) or "loss" in k} for line in lines}


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "model_final.pth", weights_only=True)["model"]


def assert_same(one: Path, other: Path) -> None:
    assert logged_losses(one) == logged_losses(other)
    assert len(logged_losses(one)) == 4
    trained, expected = weights(one), weights(other)
    assert all(torch.equal(trained[name], expected[name]) for name in expected)


def test_it_gives_the_same_losses_and_weights_as_the_other_trainer(runs: Path) -> None:
    assert_same(runs / "plain", runs / "hooks")


@pytest.mark.parametrize(("first", "second"), [("plain", train_net.main), ("hooks", plain_train_net.main)])
def test_each_goes_on_with_a_run_of_the_other(runs: Path, tmp_path: Path, first: str, second: Main) -> None:
    for name in ("model_0000002.pth", "metrics.json"):
        shutil.copy(runs / first / name, tmp_path)
    (tmp_path / "last_checkpoint").write_text("model_0000002.pth\n")
    assert run(second, tmp_path, "--resume") == 0
    assert_same(tmp_path, runs / "hooks")


def test_a_gradient_that_is_not_finite_changes_nothing_and_the_end_is_an_evaluation(
    runs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nan = torch.tensor(float("nan"))
    monkeypatch.setattr(plain_train_net, "build_gradient_clip", lambda cfg: lambda parameters: nan)
    options = ("SOLVER.MAX_ITER", 1, "DATASETS.TEST", "['toyworld_val_seen']", "SOLVER.AMP.DTYPE", "bfloat16")
    assert run(plain_train_net.main, tmp_path, *options) == 0
    assert "Step 1: the gradient is not finite" in (tmp_path / "log.txt").read_text()
    assert all(value.isfinite().all() for value in weights(tmp_path).values())
    assert list(json.loads((tmp_path / "inference/results.json").read_text())) == ["toyworld_val_seen"]


def test_it_is_short() -> None:
    assert len((ROOT / "tools/plain_train_net.py").read_text().splitlines()) < 200


def test_a_period_of_0_has_no_end() -> None:
    assert [steps for steps in range(1, 7) if plain_train_net.is_due(3, steps)] == [3, 6]
    assert not any(plain_train_net.is_due(0, steps) for steps in range(1, 7))


def test_mistakes_and_help(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(plain_train_net.main, tmp_path, "SOLVER.MAX_ITERS", 3) == 2
    assert "error: " in capsys.readouterr().err
    assert run(plain_train_net.main, tmp_path, "DATASETS.TRAIN", "[]") == 2
    assert "DATASETS.TRAIN is empty" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="0"):
        plain_train_net.main(["--help"])
    assert "torchrun --nproc-per-node 4 tools/plain_train_net.py" in capsys.readouterr().out
