"""A training run in subprocesses, which a fault can stop and the drill resumes."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from lab import REPOSITORY, SCRIPTS

CHECKPOINT_PERIOD = 5  # steps
MAX_BAD_STEPS = 3
MEASURED = {"data_time", "time", "memory"}  # keys of metrics.json that differ between equal runs
OPTIONS: tuple[object, ...] = (
    "MODEL.DEVICE", "cpu", "SOLVER.IMS_PER_BATCH", 2, "SOLVER.CHECKPOINT_PERIOD", CHECKPOINT_PERIOD,
    "INPUT.IMAGE_SIZE", 64, "MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 1, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 6,
    "MODEL.MASK_FORMER.TRAIN_NUM_POINTS", 64, "DATASETS.TEST", [], "LOG_PERIOD", 1,
    "SOLVER.MAX_BAD_STEPS", MAX_BAD_STEPS,
)  # fmt: skip
TRAIN = """
import sys
from train_net import main
sys.exit(main())
"""


class DrillError(Exception):
    """A run did not react to a fault as expected."""


@dataclass
class TrainingRun:
    """A training that is started several times in one folder, each time with ``--resume``.

    Attributes:
        folder: its OUTPUT_DIR.
        data: folder of the data sets.
        steps: number of steps of the whole training.
        seed: of the random kill points.
        kills: number of random kill points.
        lost: steps of a checkpoint that a resumed run has repeated.
        cleanup: callbacks to run after the comparison of the run.
        injected_code: Python code that runs in the process before the training.
    """

    folder: Path
    data: Path
    steps: int
    seed: int = 0
    kills: int = 20
    lost: int = 0
    cleanup: ExitStack = field(default_factory=ExitStack)
    injected_code: str = ""
    _checkpoint_at_start: int = 0  # steps of the newest checkpoint when the last process was started
    _starts_counted: int = 0  # training starts in the log that ``lost`` includes

    def start(self, in_child: Callable[[], None] | None = None) -> "subprocess.Popen[bytes]":
        """Start or resume the training.

        Args:
            in_child: called in the new process before Python starts.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count_lost()
        self._checkpoint_at_start = self.checkpoint_steps()
        config = REPOSITORY / "configs/toyworld/frozenseg_tiny.yaml"
        program = ["-c", f"{self.injected_code}{TRAIN}"] if self.injected_code else [SCRIPTS / "train_net.py"]
        command = [sys.executable, *program, "--config-file", config, "--resume", *OPTIONS]
        command += ["OUTPUT_DIR", self.folder, "SOLVER.MAX_ITER", self.steps]
        environment = {**os.environ, "DETECTRON2_DATASETS": str(self.data), "OMP_NUM_THREADS": "1"}
        paths = [str(REPOSITORY), str(SCRIPTS), os.environ.get("PYTHONPATH", "")]
        environment["PYTHONPATH"] = os.pathsep.join(paths)
        with self._stderr_file.open("w") as errors:
            return subprocess.Popen(
                [str(part) for part in command], env=environment, stderr=errors, preexec_fn=in_child
            )

    def finish(self) -> None:
        """Resume the training and run it to its end.

        Raises:
            DrillError: The training fails.
        """
        with self.start() as process:
            if process.wait() != 0:
                raise DrillError(f"the resumed run ended with code {process.returncode}: {self.last_message()}")
        self._count_lost()

    def wait_for_step(self, process: "subprocess.Popen[bytes]", step: int) -> None:
        """Wait until a step is done or the process has ended."""
        while process.poll() is None and len(self.metrics()) < step:
            time.sleep(0.01)

    def kill(self, process: "subprocess.Popen[bytes]") -> None:
        """Kill the process by SIGKILL and wait for its end."""
        process.kill()
        process.wait()

    def metrics(self) -> dict[int, dict[str, float]]:
        """Return the metrics of each step in metrics.json, without time and memory."""
        path = self.folder / "metrics.json"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return {line["iteration"]: {name: line[name] for name in line if name not in MEASURED} for line in lines}

    def checkpoint_steps(self) -> int:
        """Return the number of steps of the newest checkpoint; 0 without one."""
        path = self.folder / "last_checkpoint"
        return int(re.findall(r"\d+", path.read_text(encoding="utf-8"))[0]) if path.exists() else 0

    def newest_checkpoint(self) -> Path:
        """Return the file of the newest checkpoint."""
        return self.folder / f"model_{self.checkpoint_steps():07d}.pth"

    def last_message(self) -> str:
        """Return the last line that the last process has written to stderr."""
        lines = self._stderr_file.read_text(encoding="utf-8").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "no message")

    @property
    def _stderr_file(self) -> Path:
        return self.folder.parent / f"{self.folder.name}.stderr"

    def _count_lost(self) -> None:
        """Add the steps that the last process has repeated to ``lost``; it may have died before its first step."""
        log = self.folder / "log.txt"
        starts = re.findall(r"Steps (\d+) to ", log.read_text(encoding="utf-8")) if log.exists() else []
        if len(starts) > self._starts_counted:
            self.lost += max(0, self._checkpoint_at_start - (int(starts[-1]) - 1))
        self._starts_counted = len(starts)
