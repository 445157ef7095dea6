"""Descriptions in an output folder: ``README.md`` (index of its files) and ``environment.txt``."""

from pathlib import Path

from frozenseg import distributed
from frozenseg.atomic import write_text
from frozenseg.engine.environment import environment_report

README = """\
# A run of FrozenSeg

| file | content |
|---|---|
| `config.yaml` | the resolved config with every key; `--config-file` reads it |
| `environment.txt` | command, git revision, system, GPUs and packages of the last start |
| `log.txt` | log of the main process; `log.txt.rank1`, … of the other processes |
| `metrics.json` | one JSON object a line: losses, learning rate, gradient norm, times, memory, matching, results |
| `metrics.previous.json` | the same of an earlier run in this folder |
| `tensorboard/` | the same as curves, and the preview images: `tensorboard --logdir` with this folder |
| `pictures/` | four fixed test images at several iterations: image, ground truth, prediction |
| `data/` | some images of each data set beside their annotations, as they were read |
| `model_0001234.pth` | checkpoint after that many steps, with everything that `--resume` needs |
| `checkpoints.json`, `last_checkpoint` | hashes and scores of the checkpoints; name of the newest one |
| `model_final.pth` | the trained weights alone, for `--weights`; CLIP and SAM are not included, only their hashes |
| `inference/report.html` | scores, classes, the ten best and worst images: open it in a browser |
| `inference/results.json` | all scores, and the settings and versions that they depend on |
| `inference/*_per_class.csv` | scores of every class |
| `inference/*_image_counts.json` | counts of PQ for every image and class (`TEST.SAVE_IMAGE_COUNTS`) |
| `inference/*/predictions/` | predictions as standard files (`--save-predictions`) |
| `bad_steps/` | training steps that were not finite, for `python tools/replay_step.py FILE` |
| `wandb/` | files of Weights & Biases (`LOG_WANDB_PROJECT`) |

A run writes only the files that apply to it. Weights and configs are read without executing any code in them.
"""

SUBFOLDERS = ("tensorboard", "pictures", "data", "inference", "bad_steps", "wandb")
FILES = (
    "config.yaml", "environment.txt", "README.md", "log.txt", "metrics.json", "metrics.previous.json",
    "checkpoints.json", "last_checkpoint", "model_final.pth", "inference/report.html", "inference/results.json",
)  # fmt: skip


def describe_run(folder: Path) -> None:
    """Write ``README.md`` and ``environment.txt`` (rank 0 only).

    Raises:
        OSError: the folder cannot be written.
    """
    if distributed.is_main_process():
        write_text(folder / "README.md", README)
        write_text(folder / "environment.txt", environment_report())
