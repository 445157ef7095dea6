"""Which checkpoints a run has, whether they are whole, and which of them are kept: ``checkpoints.json``.

Beside it lies ``last_checkpoint``, a file with the newest one's name, as Detectron2 writes it. Writing an older name
into it goes back to that one.
"""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frozenseg.atomic import write_json, write_text
from frozenseg.errors import CheckpointError, ConfigError, did_you_mean
from frozenseg.log import get_logger

logger = get_logger(__name__)
INDEX = "checkpoints.json"
LAST = "last_checkpoint"
Entries = dict[str, dict[str, Any]]  # by file name: iteration, sha256, and results of an evaluation by name


@dataclass(frozen=True)
class KeepPolicy:
    """Which checkpoints are kept; one that any rule names is.

    Attributes:
        last: so many of the newest; 0 for all.
        every: those at multiples of so many iterations; 0 for none.
        best: the one with the most of this metric; empty for none.
    """

    last: int = 0
    every: int = 0
    best: str = ""

    def __post_init__(self) -> None:
        """Refuse numbers below 0."""
        if self.last < 0 or self.every < 0:
            raise ConfigError(
                f"SOLVER.KEEP_CHECKPOINTS.LAST is {self.last} and EVERY {self.every}: give numbers of 0 or more."
            )

    @classmethod
    def from_config(cls, cfg: Any) -> "KeepPolicy":
        """Read SOLVER.KEEP_CHECKPOINTS."""
        keep = cfg.SOLVER.KEEP_CHECKPOINTS
        return cls(keep.LAST, keep.EVERY, keep.BEST)

    def superfluous(self, entries: Entries) -> list[str]:
        """Name the checkpoints that can go, oldest first."""
        names = sorted(entries, key=lambda name: entries[name]["iteration"])
        kept = set(names[-self.last :])  # all of them for 0
        if self.every:
            kept |= {name for name in names if entries[name]["iteration"] % self.every == 0}
        scored = {name: entries[name]["results"][self.best] for name in names if self.best in entries[name]["results"]}
        if scored:
            kept.add(max(scored, key=lambda name: scored[name]))
        return [name for name in names if name not in kept]


class CheckpointIndex:
    """The checkpoints of a run's folder.

    Args:
        folder: of the run.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: Entries = {}
        path = folder / INDEX
        if path.is_file():
            try:
                self.entries = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                logger.warning("%s is damaged: the checkpoints are taken as they are, without their hashes.", path)

    def add(self, name: str, iteration: int) -> None:
        """Take up a checkpoint that has been written, and point to it."""
        self.entries[name] = {"iteration": iteration, "sha256": sha256(self.folder / name), "results": {}}
        self._write()
        self._point_to(name)

    def record(self, name: str, results: Mapping[str, float]) -> None:
        """Write down what a checkpoint has scored."""
        self.entries[name]["results"] = {metric: value for metric, value in results.items() if math.isfinite(value)}
        self._write()

    def forget_after(self, iteration: int) -> None:
        """Leave out checkpoints of later iterations; their files stay until they are written anew."""
        kept = {name: entry for name, entry in self.entries.items() if entry["iteration"] <= iteration}
        if kept != self.entries:
            if kept:  # first, so that it never names one that is left out
                self._point_to(max(kept, key=lambda name: kept[name]["iteration"]))
            self.entries = kept
            self._write()

    def prune(self, policy: KeepPolicy) -> None:
        """Delete the checkpoints that a policy does not keep."""
        names = policy.superfluous(self.entries)
        for name in names:
            del self.entries[name]
        if names:
            self._write()  # first, so that nothing is named that is not there
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def newest_whole(self) -> Path | None:
        """Return the last checkpoint that is whole, and tell of those that are not; None where there is nothing.

        Raises:
            CheckpointError: there are checkpoints, but all of them are missing or damaged.
        """
        candidates = self._up_to_last()
        for name in candidates:
            path = self.folder / name
            if not path.is_file():
                problem = "is missing"
            elif name in self.entries and sha256(path) != self.entries[name]["sha256"]:
                problem = "is damaged: its contents are not those that were written"
            else:
                return path
            logger.warning("The checkpoint %s %s; looking for the one before it.", path, problem)
        if candidates:
            raise CheckpointError(
                f"None of the checkpoints of {self.folder} is whole ({', '.join(candidates)}): copy one of them back, "
                "or start afresh without --resume."
            )
        return None

    def _up_to_last(self) -> list[str]:
        """Name the checkpoints from the one that ``last_checkpoint`` names to the oldest."""
        pointer = self.folder / LAST
        if not pointer.is_file():
            return []
        last = pointer.read_text(encoding="utf-8").strip()
        names = sorted(self.entries, key=lambda name: self.entries[name]["iteration"], reverse=True)
        if last in names:
            return names[names.index(last) :]
        if last and (self.folder / last).is_file():  # not ours, or of a folder that was copied in part
            return [last]
        on_disk = sorted((path.name for path in self.folder.glob("model_[0-9]*.pth")), reverse=True)
        logger.warning("%s names %r, which is not there; looking for the newest checkpoint.", pointer, last)
        return names or on_disk or [last]

    def _point_to(self, name: str) -> None:
        write_text(self.folder / LAST, name, durable=True)

    def _write(self) -> None:
        write_json(self.folder / INDEX, self.entries, indent=1, durable=True)


def forget_checkpoints(folder: Path) -> None:
    """Make sure that nobody resumes an earlier run of this folder; its checkpoint files stay."""
    if (folder / LAST).exists() or (folder / INDEX).exists():
        logger.warning(
            "%s holds an earlier run, which this fresh one replaces; --resume would have gone on with it.", folder
        )
    (folder / LAST).unlink(missing_ok=True)
    (folder / INDEX).unlink(missing_ok=True)


def clear_unfinished(folder: Path) -> None:
    """Delete what a run has left that was killed while it wrote a checkpoint."""
    for path in folder.glob(".model_*.tmp.pth"):
        path.unlink(missing_ok=True)


def warn_of_unknown_metric(metric: str, results: Mapping[str, float]) -> None:
    """Tell when evaluations do not bring the metric by which the best checkpoint is kept."""
    if metric and metric not in results:
        logger.warning(
            "SOLVER.KEEP_CHECKPOINTS.BEST is %r, which no evaluation brings.%s", metric, did_you_mean(metric, results)
        )


def sha256(path: Path) -> str:
    """Return the hash of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        digest = hashlib.sha256()
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
