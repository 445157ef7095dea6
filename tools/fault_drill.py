"""Hurt training in every way that happens to long runs, go on with --resume, and see whether anything is lost.

Trains the tiny ToyWorld model in processes of its own, once undisturbed and once for each fault, and compares every
loss of metrics.json and every final weight to the last bit. Some minutes on two cores, most of them to start Python.

Example:
    python tools/fault_drill.py --kills 20
"""

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tabulate import tabulate

ROOT = Path(__file__).resolve().parents[1]
HEADERS = ("fault", "what happened", "steps lost beyond the checkpoint", "same result")
PERIOD = 5  # steps between checkpoints
LIMIT = 3  # bad steps in a row that end a run
MEASURED = {"data_time", "time", "memory"}  # of metrics.json; they differ from run to run
OPTIONS = (
    "MODEL.DEVICE", "cpu", "SOLVER.IMS_PER_BATCH", 2, "SOLVER.CHECKPOINT_PERIOD", PERIOD, "INPUT.IMAGE_SIZE", 64,
    "MODEL.SEM_SEG_HEAD.TRANSFORMER_ENC_LAYERS", 1, "MODEL.MASK_FORMER.NUM_OBJECT_QUERIES", 6,
    "MODEL.MASK_FORMER.TRAIN_NUM_POINTS", 64, "DATASETS.TEST", [], "LOG_PERIOD", 1, "SOLVER.MAX_BAD_STEPS", LIMIT,
)  # fmt: skip
TRAIN = """
import sys
from tools.train_net import main
sys.exit(main())
"""
POISON = """
from frozenseg.engine.training.trainer import Trainer
losses_of = Trainer._losses
def poisoned(self, part, batch):
    bad = self.iteration >= {first}
    return {{name: loss * float("nan") if bad else loss for name, loss in losses_of(self, part, batch).items()}}
Trainer._losses = poisoned
"""


class DrillError(Exception):
    """A run did not do what it should have done under a fault."""


@dataclass
class Run:
    """A training that is started again and again in one folder.

    Attributes:
        folder: its OUTPUT_DIR.
        data: the data sets' folder.
        steps: of the whole training.
        seed: of the drill's own random numbers.
        kills: how many random kill points.
        lost: steps that a resumed run has repeated though a checkpoint had them.
        afterwards: what a drill wants done when the run has been compared.
        sabotage: Python that is run before the training, in its process.
    """

    folder: Path
    data: Path
    steps: int
    seed: int = 0
    kills: int = 20
    lost: int = 0
    afterwards: ExitStack = field(default_factory=ExitStack)
    sabotage: str = ""
    _expected: int = 0  # steps of the checkpoint that was there when the last process was started
    _counted: int = 0  # starts of training that were looked at

    def start(self, **how: Any) -> subprocess.Popen:
        """Start the training, or go on with it; ``how`` goes to Popen."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._count_lost()
        self._expected = self.checkpoint()
        config = ROOT / "configs/toyworld/frozenseg_tiny.yaml"
        program = ["-c", f"{self.sabotage}{TRAIN}"] if self.sabotage else [ROOT / "tools/train_net.py"]
        command = [sys.executable, *program, "--config-file", config, "--resume", *OPTIONS]
        command += ["OUTPUT_DIR", self.folder, "SOLVER.MAX_ITER", self.steps]
        environment = {**os.environ, "DETECTRON2_DATASETS": str(self.data), "OMP_NUM_THREADS": "1"}
        environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
        with (self.folder.parent / f"{self.folder.name}.stderr").open("w") as errors:
            return subprocess.Popen([str(word) for word in command], env=environment, stderr=errors, **how)

    def finish(self) -> None:
        """Go on to the end.

        Raises:
            DrillError: the run fails.
        """
        with self.start() as process:
            if process.wait() != 0:
                raise DrillError(f"the resumed run ended with code {process.returncode}: {self.last_words()}")
        self._count_lost()

    def reach(self, process: subprocess.Popen, step: int) -> None:
        """Wait until a step is done, or the process has ended."""
        while process.poll() is None and len(self.lines()) < step:
            time.sleep(0.01)

    def kill(self, process: subprocess.Popen) -> None:
        """Kill the process by SIGKILL."""
        process.kill()
        process.wait()

    def lines(self) -> dict[int, dict[str, float]]:
        """Return what metrics.json says of each step, without what is measured."""
        path = self.folder / "metrics.json"
        text = path.read_text(encoding="utf-8") if path.exists() else ""
        found = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        return {line["iteration"]: {name: line[name] for name in line if name not in MEASURED} for line in found}

    def checkpoint(self) -> int:
        """Return the steps that the newest checkpoint has; 0 without one."""
        path = self.folder / "last_checkpoint"
        return int(re.findall(r"\d+", path.read_text(encoding="utf-8"))[0]) if path.exists() else 0

    def newest(self) -> Path:
        """Return the file of the newest checkpoint."""
        return self.folder / f"model_{self.checkpoint():07d}.pth"

    def last_words(self) -> str:
        """Return the last line that the last process has said."""
        said = (self.folder.parent / f"{self.folder.name}.stderr").read_text(encoding="utf-8").split("\n")
        return next((line for line in reversed(said) if line.strip()), "nothing")

    def _count_lost(self) -> None:
        """Compare where the last process has begun with the checkpoint that was there; it may have died before."""
        log = self.folder / "log.txt"
        began = re.findall(r"Steps (\d+) to ", log.read_text(encoding="utf-8")) if log.exists() else []
        if len(began) > self._counted:
            self.lost += max(0, self._expected - (int(began[-1]) - 1))
        self._counted = len(began)


def kill_at_random_points(run: Run) -> str:
    """Kill -9 again and again: while Python starts, in steps, while checkpoints are written."""
    chance = random.Random(run.seed)  # noqa: S311 (no secret)
    done = 0
    for _ in range(run.kills):
        with run.start() as process:
            steps = chance.randint(0, 2 * run.steps // run.kills)
            if steps:
                run.reach(process, run.checkpoint() + steps)
            time.sleep(chance.uniform(0, 0.2 if steps else 4))
            done += process.poll() is None
            run.kill(process)
    run.finish()
    return f"killed {done} times"


def truncate_newest_checkpoint(run: Run) -> str:
    """Cut the newest checkpoint in half, as a lost write does."""
    with run.start() as process:
        run.reach(process, 2 * PERIOD + 1)
        run.kill(process)
    damaged = run.newest()
    os.truncate(damaged, damaged.stat().st_size // 2)
    run.finish()
    log = (run.folder / "log.txt").read_text(encoding="utf-8")
    if f"The checkpoint {damaged} is damaged" not in log:
        raise DrillError(f"nobody noticed that {damaged.name} is cut in half")
    run.lost -= PERIOD  # those of the damaged checkpoint are lost with it
    return f"{damaged.name} cut in half, noticed, the one before it taken"


def fill_the_disk(run: Run) -> str:
    """Let the disk be full when a later checkpoint is written, then make room."""
    way, limit = _small_disk(run), None
    if way is None:
        way, limit = "limit on the length of files", _refuse_long_files
        with run.start() as process:
            run.reach(process, PERIOD + 1)
            run.kill(process)
    with run.start(preexec_fn=limit) as process:
        code = process.wait()
    told = run.last_words()
    if code != 2 or "make room" not in told:
        raise DrillError(f"a full disk ended the run with code {code}: {told}")
    if limit is None:
        subprocess.run(["mount", "-o", "remount,size=1g", str(run.folder)], check=True)  # noqa: S607
    saved = run.checkpoint()
    run.finish()
    return f"{way}: ended with one sentence and code 2 after checkpoint {saved}"


def ask_to_stop(run: Run) -> str:
    """Send SIGTERM, as a cluster does."""
    with run.start() as process:
        run.reach(process, PERIOD + 2)
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        code, seconds = process.wait(), time.monotonic() - asked
    if code != 0 or run.checkpoint() != len(run.lines()):
        raise DrillError(f"SIGTERM ended the run with code {code} and a checkpoint of {run.checkpoint()} steps")
    run.finish()
    return f"checkpoint and exit code 0 after {seconds:.1f} s"


def damage_an_image(run: Run) -> str:
    """Cut an image in half while training reads it, then put it back."""
    run.data = Path(shutil.copytree(run.data, run.folder.parent / f"{run.folder.name}_data"))
    with run.start() as process:
        run.reach(process, PERIOD + 1)
        image = sorted((run.data / "toyworld/train/images").iterdir())[7]
        whole = image.read_bytes()
        image.write_bytes(whole[: len(whole) // 2])
        code = process.wait()
    told, done = run.last_words(), len(run.lines())
    if code != 2 or image.name not in told or run.checkpoint() != done:
        raise DrillError(f"a bad image ended the run with code {code}, a checkpoint of {run.checkpoint()}: {told}")
    image.write_bytes(whole)
    run.finish()
    return f"named, with code 2 and a checkpoint of all {done} steps"


def poison_the_loss(run: Run) -> str:
    """Make every loss NaN from a step on, look at the dump, and go on from the checkpoint before it."""
    run.sabotage = POISON.format(first=2 * PERIOD)
    with run.start() as process:
        code = process.wait()
    told, before = run.last_words(), run.checkpoint() - LIMIT
    dumps = list((run.folder / "bad_steps").glob("*.pth"))
    if code != 2 or before != 2 * PERIOD or len(dumps) != 1:
        raise DrillError(f"NaN ended the run with code {code} and {len(dumps)} dumps: {told}")
    replay = [sys.executable, str(ROOT / "tools/replay_step.py"), str(dumps[0])]
    done = subprocess.run(replay, capture_output=True, text=True, check=False)
    if done.returncode != 0 or "everything is finite this time" not in done.stdout:
        raise DrillError(f"the dump cannot be replayed: {done.stdout}{done.stderr}")
    run.sabotage = ""
    (run.folder / "last_checkpoint").write_text(f"model_{before:07d}.pth\n", encoding="utf-8")
    run.finish()
    return f"{LIMIT} bad steps left out, then a dump that can be replayed"


DRILLS: dict[str, Callable[[Run], str]] = {
    "kill": kill_at_random_points,
    "truncate": truncate_newest_checkpoint,
    "disk": fill_the_disk,
    "sigterm": ask_to_stop,
    "image": damage_an_image,
    "nan": poison_the_loss,
}
"""Each hurts a run, goes on with it to its end, and says what happened."""


def _small_disk(run: Run) -> str | None:
    """Put the run's folder on a disk for two checkpoints; None where that is not allowed."""
    run.folder.mkdir(parents=True)
    if sys.platform != "linux" or os.geteuid() != 0:
        return None
    mount = ["mount", "-t", "tmpfs", "-o", "size=12m", "fault_drill", str(run.folder)]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        return None
    run.afterwards.callback(subprocess.run, ["umount", str(run.folder)], check=True)
    return "disk of 12 MiB"


def _refuse_long_files() -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, 3 << 20))  # bytes; a checkpoint takes over 4 MiB


def differences(run: Run, reference: Run) -> str:
    """Say in which steps and weights two runs differ, or ``yes`` where they are the same to the last bit."""
    import torch

    own, expected = run.lines(), reference.lines()
    steps = [step for step in sorted(own.keys() | expected.keys()) if own.get(step) != expected.get(step)]
    weights, wanted = (
        torch.load(one.folder / "model_final.pth", weights_only=True)["model"] for one in (run, reference)
    )
    names = [name for name in wanted if name not in weights or not torch.equal(weights[name], wanted[name])]
    parts = [f"steps {steps[0]} to {steps[-1]}"] if steps else []
    parts += [f"{len(names)} of {len(wanted)} weights"] if names else []
    return f"no: {', '.join(parts)}" if parts else "yes"


def carry_out(name: str, run: Run, reference: Run) -> tuple[str, str, int, str]:
    """Do one drill; returns its line of the table."""
    with run.afterwards:
        try:
            happened = DRILLS[name](run)
            return name, happened, run.lost, differences(run, reference)
        except DrillError as error:
            return name, str(error), run.lost, "no"


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("Example:")
    parser = argparse.ArgumentParser(
        description=description, epilog="Example:" + epilog, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="*", default=list(DRILLS), choices=DRILLS, help="these faults alone")
    parser.add_argument("--kills", type=int, default=20, help="random points at which to kill (default: 20)")
    parser.add_argument("--steps", type=int, default=60, help="of each training (default: 60)")
    parser.add_argument("--seed", type=int, default=0, help="of the random points (default: 0)")
    parser.add_argument("--folder", type=Path, help="where the runs are kept (default: nowhere)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the drills; returns 0 if nothing was lost, 1 if something was, 2 for a mistake that the user can mend."""
    arguments = parse_arguments(argv)
    from frozenseg.toyworld.export import Recipe, export_split

    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.folder or Path(temporary)).resolve()
        if folder.is_dir() and any(folder.iterdir()):
            print(f"error: --folder {folder} is not empty: name a new one.", file=sys.stderr)
            return 2
        data = folder / "data"
        export_split(data / "toyworld" / "train", Recipe("train", 0, 16, 64, 64), quiet=True)

        def run(name: str) -> Run:
            return Run(folder / name, data, arguments.steps, arguments.seed, arguments.kills)

        reference = run("undisturbed")
        reference.finish()
        table = []
        for name in arguments.only:
            print(f"{name} …", file=sys.stderr, flush=True)
            table.append(carry_out(name, run(name), reference))
    print(tabulate(table, HEADERS))
    return 0 if all(lost <= 0 and same == "yes" for _, _, lost, same in table) else 1


if __name__ == "__main__":
    sys.exit(main())
