"""What a run's folder says of itself: on what and by what it was made, and what its files are."""

import datetime
import importlib.metadata
import os
import platform
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import torch

from frozenseg import distributed
from frozenseg.atomic import write_text

REPOSITORY = Path(__file__).parents[2]
README = """\
# A run of FrozenSeg

| file | what it is |
|---|---|
| `config.yaml` | the config as it acted, every key of it: `--config-file` takes it |
| `environment.txt` | command, git revision, system, GPUs and packages of the last start |
| `log.txt` | everything that was said; `log.txt.rank1` and so on by the other processes |
| `metrics.json` | one JSON object a line: losses, learning rate, gradient norm, times, memory, matching, results |
| `metrics.previous.json` | the same of an earlier run in this folder |
| `tensorboard/` | the same as curves, and the pictures: `tensorboard --logdir` of this folder |
| `pictures/` | the same four test images again and again, as annotated and as predicted |
| `data/` | a few images of each data set beside their annotations, as they were read |
| `model_0001234.pth` | checkpoint after so many steps, with all that `--resume` needs |
| `checkpoints.json`, `last_checkpoint` | which checkpoints there are, their hashes and scores; the newest |
| `model_final.pth` | the trained weights alone, for `--weights`; CLIP and SAM are not in it, only their hashes |
| `inference/report.html` | scores, classes, the ten best and worst images: open it in a browser |
| `inference/results.json` | all scores, and by what they came about |
| `inference/*_per_class.csv` | scores of every class |
| `inference/*/predictions/` | predictions as standard files (`--save-predictions`) |
| `bad_steps/` | training steps that were not finite, for `python tools/replay_step.py FILE` |
| `wandb/` | what Weights & Biases keeps (`LOG_WANDB_PROJECT`) |

Not every run has all of them. Weights and configs are read without running anything in them.
"""


def describe_run(folder: Path) -> None:
    """Write ``README.md`` and ``environment.txt`` (rank 0 only).

    Raises:
        OSError: the disk refuses.
    """
    if distributed.is_main_process():
        write_text(folder / "README.md", README)
        write_text(folder / "environment.txt", _environment())


def git_revision(folder: Path = REPOSITORY) -> str:
    """Return the commit that a clone is at, and whether files differ from it; says so where there is no clone."""
    git = shutil.which("git")
    if git is None or not (folder / ".git").exists():
        return "unknown: not a git clone"
    commit, changes = (_output(git, "-C", str(folder), *words) for words in (("rev-parse", "HEAD"), ("status", "-s")))
    if not commit:
        return "unknown: git cannot tell"
    changed = [line[3:] for line in changes.splitlines() if not line.startswith("??")]
    return f"{commit}, changed since: {', '.join(changed)}" if changed else commit


def _output(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 (git, with fixed words)
    return done.stdout.rstrip() if done.returncode == 0 else ""


def _environment() -> str:
    count = torch.cuda.device_count()
    gpus = [torch.cuda.get_device_name(number) for number in range(count)]
    found = {(item.metadata["Name"] or "").lower(): item.version for item in importlib.metadata.distributions()}
    facts = {
        "started": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join([sys.executable, *sys.argv]),
        "folder": str(Path.cwd()),
        "git revision": git_revision(),
        "system": platform.platform(),
        "host": platform.node(),
        "cores": str(os.cpu_count()),
        "GPUs": ", ".join(gpus) or "none",
        "CUDA": f"{torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}" if count else "none",
        "processes": str(distributed.world_size()),
        "Python": sys.version.replace("\n", " "),
    }
    packages = [f"{name}=={version}" for name, version in sorted(found.items()) if name]
    return "\n".join([*(f"{name}: {value}" for name, value in facts.items()), "packages:", *packages])
