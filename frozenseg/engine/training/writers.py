"""Writers of training metrics and images: console lines, ``metrics.json`` (one object a line), TensorBoard."""

import datetime
import importlib.util
import json
import math
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.config import CfgNode
from frozenseg.engine.training.wandb_writer import WeightsAndBiases
from frozenseg.log import get_logger

logger = get_logger(__name__)
Scalars = Mapping[str, float | None]  # None: the value is unknown
METRICS_FILE = "metrics.json"
FAILURES = ("bad_images", "bad_steps", "overflows")  # counted since the run began; on the console only if above 0
CURVES = {
    **{name: f"losses/{name}" for name in ("total_loss", "loss_ce", "loss_mask", "loss_dice")},
    **{name: f"matching/{name}" for name in ("queries_matched", "matched_probability", "matched_iou")},
    **{name: f"optimiser/{name}" for name in ("lr", "grad_norm")},
    **{name: f"machine/{name}" for name in ("data_time", "time", "memory")},
    **{name: f"trouble/{name}" for name in FAILURES},
}  # scalar → name of its curve in TensorBoard


class MetricWriter(Protocol):
    """Interface of the writers: a destination for scalars and images."""

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Write the scalars of a step; None is an unknown value."""

    def show(self, iteration: int, image: Image.Image) -> None:
        """Write an image, if the writer can show one."""

    def close(self) -> None:
        """Finish writing."""


class JsonLines:
    """``metrics.json``: one JSON object a line, with ``iteration`` and the scalars.

    A resumed run continues the file, without the lines after the checkpoint that it resumes from. A fresh run renames
    the file of an earlier one to ``metrics.previous.json``.

    Args:
        folder: output folder of the run.
        start_iteration: steps done by the resumed run; 0 for a fresh run.
    """

    def __init__(self, folder: Path, start_iteration: int = 0) -> None:
        self.path = folder / METRICS_FILE
        if start_iteration == 0 and self.path.exists():
            self.path.replace(folder / "metrics.previous.json")
        kept = _lines_up_to(self.path, start_iteration)
        with replacing(self.path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")
        self._file = self.path.open("a", encoding="utf-8")

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Append a line and flush it, so that nothing is lost with the process; NaN becomes null."""
        finite = {
            name: value if value is not None and math.isfinite(value) else None for name, value in scalars.items()
        }
        self._file.write(json.dumps({"iteration": iteration, **finite}) + "\n")
        self._file.flush()

    def show(self, iteration: int, image: Image.Image) -> None:
        """Do nothing: a line holds numbers only."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ConsoleLines:
    """One log line for each step that is written, with the remaining time.

    Args:
        max_iter: steps of the whole training.
        start_iteration: steps done by the resumed run; 0 for a fresh run.
    """

    def __init__(self, max_iter: int, start_iteration: int = 0) -> None:
        self.max_iter = max_iter
        self._start_iteration, self._started = start_iteration, time.monotonic()

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Log the line of a step; the results of an evaluation are logged as a table instead."""
        if "total_loss" not in scalars:
            return
        losses = " ".join(
            f"{name.removeprefix('loss_')} {value:.3f}" for name, value in scalars.items() if name.startswith("loss")
        )
        memory = scalars["memory"]
        size = "" if memory is None else f"  memory {memory:.0f} MiB"
        logger.info(
            "iteration %d/%d  eta %s  total_loss %.3f (%s)  grad_norm %.3g  lr %.3g  data %.3f s  step %.3f s%s%s",
            iteration,
            self.max_iter,
            self._remaining_time(iteration),
            scalars["total_loss"],
            losses,
            scalars["grad_norm"],
            scalars["lr"],
            scalars["data_time"],
            scalars["time"],
            size,
            "".join(f"  {name} {scalars[name]:.0f}" for name in FAILURES if scalars.get(name)),
        )

    def show(self, iteration: int, image: Image.Image) -> None:
        """Do nothing: a log line shows no image."""

    def close(self) -> None:
        """Do nothing: the logger stays open."""

    def _remaining_time(self, iteration: int) -> datetime.timedelta:
        pace = (time.monotonic() - self._started) / max(iteration - self._start_iteration, 1)
        return datetime.timedelta(seconds=round(pace * (self.max_iter - iteration)))


class TensorBoard:
    """TensorBoard files in a folder.

    Args:
        folder: for the event files.
        start_iteration: steps done by the resumed run; points that it has logged after them are hidden.
    """

    def __init__(self, folder: Path, start_iteration: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=start_iteration + 1)

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Add one point to each curve."""
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(CURVES.get(name, name), value, iteration)

    def show(self, iteration: int, image: Image.Image) -> None:
        """Add an image under the name ``pictures``."""
        self._writer.add_image("pictures", np.asarray(image), iteration, dataformats="HWC")

    def close(self) -> None:
        """Flush and close the files."""
        self._writer.close()


def build_metric_writers(cfg: CfgNode, folder: Path, start_iteration: int = 0) -> list[MetricWriter]:
    """Return the writers of a run: console, ``metrics.json``, TensorBoard if installed, W&B if a project is set.

    Args:
        cfg: reads SOLVER.MAX_ITER and LOG_WANDB_PROJECT.
        folder: output folder of the run.
        start_iteration: steps done by the resumed run; 0 for a fresh run.

    Raises:
        ConfigError: LOG_WANDB_PROJECT is set and W&B is not installed.
    """
    console = ConsoleLines(cfg.SOLVER.MAX_ITER, start_iteration)
    writers: list[MetricWriter] = [console, JsonLines(folder, start_iteration)]
    if importlib.util.find_spec("tensorboard") is None:
        logger.info("TensorBoard is not installed: no event files are written. To get them: pip install tensorboard")
    else:
        writers.append(TensorBoard(folder / "tensorboard", start_iteration))
    if cfg.LOG_WANDB_PROJECT:
        writers.append(WeightsAndBiases(cfg, folder))
    return writers


def summed_by_kind(losses: Mapping[str, float]) -> dict[str, float]:
    """Sum the losses over the decoder layers: ``loss_dice`` and ``loss_dice_3`` are of one kind."""
    sums: dict[str, float] = {}
    for name, value in losses.items():
        kind = re.sub(r"_\d+$", "", name)
        sums[kind] = sums.get(kind, 0.0) + value
    return sums


def max_memory_mib(device: torch.device) -> float | None:
    """Return the peak memory so far in MiB: of tensors on a GPU, or of this process; None if it is unknown."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if importlib.util.find_spec("resource") is None:  # Windows
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss is in bytes on macOS, in KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _lines_up_to(path: Path, iteration: int) -> list[str]:
    if not path.exists():
        return []
    return [
        line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if _iteration(line) <= iteration
    ]


def _iteration(line: str) -> float:
    try:
        return float(json.loads(line)["iteration"])
    except json.JSONDecodeError:  # the process was killed while writing this line
        return math.inf
