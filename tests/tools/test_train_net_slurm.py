"""The SLURM tool, with submitit's local executor in the place of SLURM."""

import os
import signal
import time
from pathlib import Path

import pytest

from frozenseg.engine import slurm as module
from frozenseg.engine.slurm import TrainingJob
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT
from tools.train_net_slurm import main, submit

CONFIG = ["--config-file", str(ROOT / "configs/toyworld/frozenseg_tiny.yaml"), "MODEL.DEVICE", "cpu"]
STEPS = 60


@pytest.mark.parametrize(("before", "after"), [([], ["--resume"]), (["--resume"], ["--resume"])])
def test_the_job_in_its_place_resumes(before: list[str], after: list[str]) -> None:
    assert TrainingJob([*before, "SEED", "1"]).checkpoint().function.argv == [*after, "SEED", "1"]


@pytest.mark.parametrize(("restarts", "resumed"), [("0", False), ("1", True)])
def test_a_job_that_slurm_itself_starts_again_resumes(
    restarts: str, resumed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "1")  # so that what the job sets goes afterwards
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    monkeypatch.setenv("SUBMITIT_EXECUTOR", "local")
    monkeypatch.setenv("SUBMITIT_LOCAL_JOB_ID", "1")
    monkeypatch.setattr(module, "start", lambda arguments: arguments.resume)
    assert TrainingJob(CONFIG)() == resumed
    assert (os.environ["RANK"], os.environ["WORLD_SIZE"]) == ("0", "1")


@pytest.mark.skipif(not hasattr(signal, "SIGUSR2"), reason="needs SIGUSR2")
def test_before_training_the_job_is_queued_again_at_once() -> None:
    queued: list[int] = []
    before = signal.signal(signal.SIGUSR2, lambda number, frame: queued.append(number))
    try:
        with module._checkpoint_first():
            signal.raise_signal(signal.SIGUSR2)
            assert queued == [signal.SIGUSR2]
            listening = signal.signal(signal.SIGUSR1, lambda number, frame: None)  # as training does
            signal.raise_signal(signal.SIGUSR2)
            signal.signal(signal.SIGUSR1, listening)
            assert len(queued) == 1  # not before the checkpoint
        assert len(queued) == 2
    finally:
        signal.signal(signal.SIGUSR2, before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--gpus", "3", "--", *CONFIG], "IMS_PER_BATCH is 8, which 3 processes cannot share"),
        (["--gpus", "3", "--", *CONFIG, "--eval-only"], "SLURM was not found"),  # no batch to share
        (["--", *CONFIG, "SOLVER.MAX_ITERS", "3"], "unknown key"),
        (["--", *CONFIG], "SLURM was not found"),
        (["--cluster", "local", "--slurm", "quos=high", "--", *CONFIG], "quos"),
    ],
)
def test_mistakes_are_told_before_anything_is_queued(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main([*arguments, "OUTPUT_DIR", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for processes in /proc")
def test_a_job_whose_time_is_up_is_queued_again_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export_split(tmp_path / "toyworld" / "train", Recipe("train", 0, 4, 64, 64), quiet=True)
    settings = {"DETECTRON2_DATASETS": str(tmp_path), "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "run"
    options = [*NARROW, "OUTPUT_DIR", folder, "SOLVER.IMS_PER_BATCH", 2, "INPUT.IMAGE_SIZE", 64, "DATASETS.TEST", []]
    options += ["SOLVER.MAX_ITER", STEPS, "LOG_PERIOD", 1]
    job = submit(["--cluster", "local", "--gpus", "0", "--", *CONFIG, *map(str, options)])
    wait_for(folder / "metrics.json", lines=2)
    [task] = Path(f"/proc/{job.job_id}/task/{job.job_id}/children").read_text().split()
    os.kill(int(task), signal.SIGUSR2)  # as SLURM does some time before the end
    assert job.result() == 0
    job._process.wait(timeout=60)
    log = (folder / "log.txt").read_text()
    assert "SIGUSR1: stopping after" in log
    assert "Steps 1 to 60" in log
    assert log.count("Environment: ") == 2
    assert log.count("learning rate") == 2  # the second time from the checkpoint on
    assert "no checkpoint to resume from" not in log
    assert len((folder / "metrics.json").read_text().splitlines()) == STEPS


def wait_for(path: Path, lines: int) -> None:
    until = time.monotonic() + 120
    while not path.exists() or len(path.read_text().splitlines()) < lines:
        assert time.monotonic() < until, "it is too slow"
        time.sleep(0.05)
