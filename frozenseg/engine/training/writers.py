"""Scalars and pictures of training → console lines, ``metrics.json`` (one object a line), TensorBoard."""

import datetime
import importlib.util
import json
import math
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.engine.training.wandb_writer import WeightsAndBiases
from frozenseg.log import get_logger

logger = get_logger(__name__)
Scalars = dict[str, float | None]
METRICS_FILE = "metrics.json"
TROUBLES = ("bad_images", "bad_steps", "overflows")  # counted since the run began; told on the console where there are
CURVES = {
    **{name: f"losses/{name}" for name in ("total_loss", "loss_ce", "loss_mask", "loss_dice")},
    **{name: f"matching/{name}" for name in ("queries_matched", "matched_probability", "matched_iou")},
    **{name: f"optimiser/{name}" for name in ("lr", "grad_norm")},
    **{name: f"machine/{name}" for name in ("data_time", "time", "memory")},
    **{name: f"trouble/{name}" for name in TROUBLES},
}  # where TensorBoard shows them


class Writer(Protocol):
    """Somewhere that scalars go."""

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Take the scalars of a step; None stands for what cannot be known."""

    def show(self, iteration: int, picture: Image.Image) -> None:
        """Take a picture, if it can show one."""

    def close(self) -> None:
        """Finish."""


class JsonLines:
    """``metrics.json``: one JSON object a line, with ``iteration`` and the scalars.

    A resumed run goes on in the same file, without the lines after the checkpoint that it resumes from. A fresh one
    puts the file of an earlier run aside, as ``metrics.previous.json``.

    Args:
        folder: where the file lies.
        start_iteration: steps done by an earlier run.
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
        """Append a line at once, so that nothing is lost with the process; NaN becomes null."""
        finite = {
            name: value if value is not None and math.isfinite(value) else None for name, value in scalars.items()
        }
        self._file.write(json.dumps({"iteration": iteration, **finite}) + "\n")
        self._file.flush()

    def show(self, iteration: int, picture: Image.Image) -> None:
        """Do nothing: a line holds numbers."""

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class ConsoleLines:
    """One line of log for each writing, with the time to go.

    Args:
        max_iter: steps of the whole training.
        start_iteration: steps done by an earlier run.
    """

    def __init__(self, max_iter: int, start_iteration: int = 0) -> None:
        self.max_iter = max_iter
        self._start_iteration, self._started = start_iteration, time.monotonic()

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Log the line of a step; results of an evaluation have their table."""
        if "total_loss" not in scalars:
            return
        losses = " ".join(
            f"{name.removeprefix('loss_')} {scalars[name]:.3f}" for name in scalars if name.startswith("loss")
        )
        memory = scalars["memory"]
        size = "" if memory is None else f"  memory {memory:.0f} MiB"
        logger.info(
            "iteration %d/%d  eta %s  total_loss %.3f (%s)  grad_norm %.3g  lr %.3g  data %.3f s  step %.3f s%s%s",
            iteration,
            self.max_iter,
            self._time_to_go(iteration),
            scalars["total_loss"],
            losses,
            scalars["grad_norm"],
            scalars["lr"],
            scalars["data_time"],
            scalars["time"],
            size,
            "".join(f"  {name} {scalars[name]:.0f}" for name in TROUBLES if scalars.get(name)),
        )

    def show(self, iteration: int, picture: Image.Image) -> None:
        """Do nothing: a line cannot show it."""

    def close(self) -> None:
        """Do nothing: the logger stays."""

    def _time_to_go(self, iteration: int) -> datetime.timedelta:
        pace = (time.monotonic() - self._started) / max(iteration - self._start_iteration, 1)
        return datetime.timedelta(seconds=round(pace * (self.max_iter - iteration)))


class TensorBoard:
    """TensorBoard files in a folder.

    Args:
        folder: for the event files.
        start_iteration: steps done by an earlier run; what it has logged after them is hidden.
    """

    def __init__(self, folder: Path, start_iteration: int = 0) -> None:
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(folder), purge_step=start_iteration + 1)

    def write(self, iteration: int, scalars: Scalars) -> None:
        """Add one point to each curve."""
        for name, value in scalars.items():
            if value is not None:
                self._writer.add_scalar(CURVES.get(name, name), value, iteration)

    def show(self, iteration: int, picture: Image.Image) -> None:
        """Add the picture to those before it."""
        self._writer.add_image("pictures", np.asarray(picture), iteration, dataformats="HWC")

    def close(self) -> None:
        """Write out what is left."""
        self._writer.close()


def build_writers(cfg: Any, folder: Path, start_iteration: int = 0) -> list[Writer]:
    """Return the writers of a run: console, ``metrics.json``, TensorBoard where it is installed, W&B where asked for.

    Args:
        cfg: reads SOLVER.MAX_ITER and LOG_WANDB_PROJECT.
        folder: the run's output folder.
        start_iteration: steps done by an earlier run.

    Raises:
        ConfigError: W&B is asked for, and not installed.
    """
    writers: list[Writer] = [ConsoleLines(cfg.SOLVER.MAX_ITER, start_iteration), JsonLines(folder, start_iteration)]
    if importlib.util.find_spec("tensorboard") is None:
        logger.info("TensorBoard is not installed, so its files are left out; get it by: pip install tensorboard")
    else:
        writers.append(TensorBoard(folder / "tensorboard", start_iteration))
    if cfg.LOG_WANDB_PROJECT:
        writers.append(WeightsAndBiases(cfg, folder))
    return writers


def summed_by_kind(losses: Mapping[str, float]) -> dict[str, float]:
    """Sum the losses of all decoder layers: ``loss_dice`` and ``loss_dice_3`` are one kind."""
    sums: dict[str, float] = {}
    for name, value in losses.items():
        kind = re.sub(r"_\d+$", "", name)
        sums[kind] = sums.get(kind, 0.0) + value
    return sums


def peak_memory(device: torch.device) -> float | None:
    """Return the most memory held so far in MiB: by tensors on a GPU, or by this process; None where nobody knows."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**20
    if importlib.util.find_spec("resource") is None:  # Windows
        return None
    import resource

    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def _lines_up_to(path: Path, iteration: int) -> list[str]:
    if not path.exists():
        return []
    return [
        line for line in path.read_text(encoding="utf-8").splitlines(keepends=True) if _iteration(line) <= iteration
    ]


def _iteration(line: str) -> float:
    try:
        return json.loads(line)["iteration"]
    except json.JSONDecodeError:  # the process was killed while it wrote this line
        return math.inf
