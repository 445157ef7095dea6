"""The faults of the drill: each disturbs a run, resumes it to its end, and returns a description of what happened."""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from lab import SCRIPTS
from lab.fault_drill.training_run import CHECKPOINT_PERIOD, MAX_BAD_STEPS, DrillError, TrainingRun

SPACE_HINTS = ("make room", "free some space")  # parts of the error messages about a full disk
NAN_LOSSES = """
from frozenseg.engine.training.trainer import Trainer
compute_losses = Trainer._losses
def nan_losses(self, part, batch):
    scale = float("nan") if self.iteration >= {first} else 1.0
    return {{name: loss * scale for name, loss in compute_losses(self, part, batch).items()}}
Trainer._losses = nan_losses
"""


def kill_at_random_points(run: TrainingRun) -> str:
    """Send SIGKILL many times: while Python starts, during steps, and while checkpoints are written."""
    rng = random.Random(run.seed)  # noqa: S311 (not used for security)
    killed = 0
    for _ in range(run.kills):
        with run.start() as process:
            steps = rng.randint(0, 2 * run.steps // run.kills)
            if steps:
                run.wait_for_step(process, run.checkpoint_steps() + steps)
            time.sleep(rng.uniform(0, 0.2 if steps else 4))
            killed += process.poll() is None
            run.kill(process)
    run.finish()
    return f"killed {killed} times"


def truncate_newest_checkpoint(run: TrainingRun) -> str:
    """Cut the newest checkpoint in half, like an incomplete write."""
    with run.start() as process:
        run.wait_for_step(process, 2 * CHECKPOINT_PERIOD + 1)
        run.kill(process)
    damaged = run.newest_checkpoint()
    os.truncate(damaged, damaged.stat().st_size // 2)
    run.finish()
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    if f"The checkpoint {damaged} is damaged" not in log:
        raise DrillError(f"the log has no message about {damaged.name}, which was cut in half")
    run.lost -= CHECKPOINT_PERIOD  # the steps of the damaged checkpoint have to be repeated
    return f"{damaged.name} cut in half, detected, resumed from the one before it"


def fill_disk(run: TrainingRun) -> str:
    """Let the disk be full when a later checkpoint is written, then free space."""
    disk, limit = _mount_small_disk(run), None
    if disk is None:
        disk, limit = "limited file size", _limit_file_size
        with run.start() as process:
            run.wait_for_step(process, CHECKPOINT_PERIOD + 1)
            run.kill(process)
    with run.start(in_child=limit) as process:
        code = process.wait()
    message = run.last_message()
    if code != 2 or not any(hint in message for hint in SPACE_HINTS):
        raise DrillError(f"a full disk ended the run with code {code}: {message}")
    if limit is None:
        subprocess.run(["mount", "-o", "remount,size=1g", str(run.folder)], check=True)  # noqa: S607
    saved = run.checkpoint_steps()
    run.finish()
    return f"{disk}: ended with one sentence and code 2 after checkpoint {saved}"


def send_sigterm(run: TrainingRun) -> str:
    """Send SIGTERM, as a cluster does before it ends a job."""
    with run.start() as process:
        run.wait_for_step(process, CHECKPOINT_PERIOD + 2)
        sent = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, seconds = process.wait(), time.monotonic() - sent
    if code != 0 or run.checkpoint_steps() != len(run.metrics()):
        raise DrillError(f"SIGTERM ended the run with code {code} and a checkpoint of {run.checkpoint_steps()} steps")
    run.finish()
    return f"checkpoint and exit code 0 after {seconds:.1f} s"


def damage_image(run: TrainingRun) -> str:
    """Cut an image in half while training reads the data set, then restore it."""
    run.data = Path(shutil.copytree(run.data, run.folder.parent / f"{run.folder.name}_data"))
    with run.start() as process:
        run.wait_for_step(process, CHECKPOINT_PERIOD + 1)
        image = sorted((run.data / "toyworld/train/images").iterdir())[7]
        content = image.read_bytes()
        image.write_bytes(content[: len(content) // 2])
        code = process.wait()
    message, done = run.last_message(), len(run.metrics())
    if code != 2 or image.name not in message or run.checkpoint_steps() != done:
        raise DrillError(
            f"a damaged image ended the run with code {code} and a checkpoint of {run.checkpoint_steps()}: {message}"
        )
    image.write_bytes(content)
    run.finish()
    return f"named in the error, with code 2 and a checkpoint of all {done} steps"


def make_losses_nan(run: TrainingRun) -> str:
    """Set every loss to NaN from a step on, replay the dump, and resume from the checkpoint before that step."""
    run.injected_code = NAN_LOSSES.format(first=2 * CHECKPOINT_PERIOD)
    with run.start() as process:
        code = process.wait()
    message, before = run.last_message(), run.checkpoint_steps() - MAX_BAD_STEPS
    dumps = list((run.folder / "bad_steps").glob("*.pth"))
    if code != 2 or before != 2 * CHECKPOINT_PERIOD or len(dumps) != 1:
        raise DrillError(f"NaN ended the run with code {code} and {len(dumps)} dumps: {message}")
    command = [sys.executable, str(SCRIPTS / "replay_step.py"), str(dumps[0])]
    replay = subprocess.run(command, capture_output=True, text=True, check=False)
    if replay.returncode != 0 or "everything is finite this time" not in replay.stdout:
        raise DrillError(f"the dump cannot be replayed: {replay.stdout}{replay.stderr}")
    run.injected_code = ""
    (run.folder / "last_checkpoint").write_text(f"model_{before:07d}.pth\n", encoding="utf-8")
    run.finish()
    return f"{MAX_BAD_STEPS} bad steps skipped, then a dump that can be replayed"


FAULTS: dict[str, Callable[[TrainingRun], str]] = {
    "kill": kill_at_random_points,
    "truncate": truncate_newest_checkpoint,
    "disk": fill_disk,
    "sigterm": send_sigterm,
    "image": damage_image,
    "nan": make_losses_nan,
}


def _mount_small_disk(run: TrainingRun) -> str | None:
    """Mount a disk with space for two checkpoints at the run's folder; None if that is not permitted."""
    run.folder.mkdir(parents=True)
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "fault_drill", str(run.folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        return None
    run.cleanup.callback(subprocess.run, ["umount", str(run.folder)], check=True)
    return "disk of 12 MiB"


def _limit_file_size() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))  # bytes; a checkpoint has over 4 MiB
