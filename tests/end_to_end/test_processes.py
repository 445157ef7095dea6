"""Two processes under torchrun: a signal stops both with a checkpoint, and one process resumes from it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT
from tools.train_net import main

OPTIONS = [
    "--config-file", ROOT / "configs/toyworld/frozenseg_tiny.yaml", *NARROW, "SOLVER.IMS_PER_BATCH", 2,
    "SOLVER.WARMUP_ITERS", 0, "SOLVER.LR_SCHEDULER_NAME", "WarmupMultiStepLR", "SOLVER.STEPS", [],
    "INPUT.IMAGE_SIZE", 64, "MODEL.DEVICE", "cpu", "DATASETS.TEST", [], "LOG_PERIOD", 1,
    "SOLVER.OPTIMIZER", "SGD", "SOLVER.BASE_LR", 1e-3,
]  # fmt: skip
# AdamW's first steps are the signs of the gradients: where one is almost 0, the rounding of a sum over processes, which
# differs between processors, decides its step. With SGD only pixels at the threshold of masked attention do that.
TOLERANCE = 1e-3  # relative; losses of other images or random points differ by more than 1e-2
TORCHRUN = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2, ROOT / "tools/train_net.py"]
ENOUGH = 10_000  # more steps than a test waits for


@pytest.fixture
def _images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_split(tmp_path / "toyworld" / "train", Recipe("train", 0, 5, 64, 64), quiet=True)
    settings = {"DETECTRON2_DATASETS": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)


def arguments(folder: Path, *options: Any) -> list[str]:
    return [str(argument) for argument in (*OPTIONS, "OUTPUT_DIR", folder, *options)]


def lines(folder: Path) -> dict[int, dict[str, float]]:
    path = folder / "metrics.json"
    text = path.read_text() if path.exists() else ""
    content = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    return {line["iteration"]: {name: value for name, value in line.items() if "loss" in name} for line in content}


def wait_for_steps(run: subprocess.Popen, folder: Path, steps: int) -> None:
    until = time.monotonic() + 300
    while len(lines(folder)) < steps:
        assert run.poll() is None, "the run has ended"
        assert time.monotonic() < until, "the run is too slow"
        time.sleep(0.05)


def children(process: int) -> Iterator[int]:
    yield from map(int, Path(f"/proc/{process}/task/{process}/children").read_text().split())


@pytest.mark.usefixtures("_images")
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_signal_to_one_process_stops_all_with_a_checkpoint(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    command = [sys.executable, *map(str, TORCHRUN), *arguments(folder, "SOLVER.MAX_ITER", ENOUGH)]
    with subprocess.Popen(command) as run:
        try:
            wait_for_steps(run, folder, 3)
            os.kill(list(children(run.pid))[-1], signal.SIGTERM)
            assert run.wait(timeout=60) == 0
        finally:
            run.kill()
    done = max(lines(folder))
    assert (folder / "last_checkpoint").read_text() == f"model_{done:07d}.pth\n"
    assert f"stopping after {done} steps" in (folder / "log.txt").read_text()

    check_that_one_process_resumes(folder, done)


def check_that_one_process_resumes(folder: Path, done: int) -> None:
    """Resume the run of two processes in one process, and compare with an uninterrupted run."""
    uninterrupted = folder.parent / "uninterrupted"
    assert main(arguments(folder, "--resume", "SOLVER.MAX_ITER", done + 2)) == 0
    assert main(arguments(uninterrupted, "SOLVER.MAX_ITER", done + 2)) == 0
    expected, actual = lines(uninterrupted), lines(folder)
    assert sorted(actual) == list(range(1, done + 3))
    for iteration, line in expected.items():
        assert actual[iteration] == pytest.approx(line, rel=TOLERANCE), iteration
