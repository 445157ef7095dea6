"""Index of a run's checkpoints (``checkpoints.json``) with hashes and results, and the rule for those to keep.

The file ``last_checkpoint`` next to it has the name of the newest one, as in Detectron2. A user can write an older name
into it to resume from that one.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frozenseg.atomic import write_json, write_text
from frozenseg.config import CfgNode
from frozenseg.errors import CheckpointError, ConfigError, did_you_mean
from frozenseg.file_hash import sha256_of
from frozenseg.log import get_logger

logger = get_logger(__name__)
INDEX = "checkpoints.json"
LAST = "last_checkpoint"
CheckpointEntries = dict[str, dict[str, Any]]  # file name → iteration, sha256, and results by metric


@dataclass(frozen=True)
class KeepPolicy:
    """Rule for the checkpoints to keep; a checkpoint is kept if one of the attributes selects it.

    Attributes:
        last: number of newest checkpoints; 0 for all.
        every: checkpoints at multiples of this number of iterations; 0 for none.
        best: the checkpoint that scores highest in this metric; empty for none.
    """

    last: int = 0
    every: int = 0
    best: str = ""

    def __post_init__(self) -> None:
        """Raise ConfigError for negative numbers."""
        if self.last < 0 or self.every < 0:
            raise ConfigError(
                f"SOLVER.KEEP_CHECKPOINTS.LAST is {self.last} and EVERY {self.every}, expected numbers of 0 or more."
            )

    @classmethod
    def from_config(cls, cfg: CfgNode) -> "KeepPolicy":
        """Build from SOLVER.KEEP_CHECKPOINTS."""
        keep = cfg.SOLVER.KEEP_CHECKPOINTS
        return cls(keep.LAST, keep.EVERY, keep.BEST)

    def to_delete(self, entries: CheckpointEntries) -> list[str]:
        """Return the names of the checkpoints that are not kept, oldest first."""
        names = sorted(entries, key=lambda name: entries[name]["iteration"])
        kept = set(names[-self.last :])  # all of them for 0
        if self.every:
            kept |= {name for name in names if entries[name]["iteration"] % self.every == 0}
        scored = {name: entries[name]["results"][self.best] for name in names if self.best in entries[name]["results"]}
        if scored:
            kept.add(max(scored, key=lambda name: scored[name]))
        return [name for name in names if name not in kept]


class CheckpointIndex:
    """Index of the checkpoints in a run's folder.

    Args:
        folder: output folder of the run.

    Attributes:
        entries: iteration, hash and results of each checkpoint, by file name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.entries: CheckpointEntries = {}
        path = folder / INDEX
        if path.is_file():
            try:
                self.entries = json.loads(path.read_text(encoding="utf-8"))
            except ValueError:
                logger.warning("%s is damaged: checkpoints are used without a check of their hashes.", path)

    def add(self, name: str, iteration: int) -> None:
        """Add a checkpoint that has been written, and make it the last one."""
        self.entries[name] = {"iteration": iteration, "sha256": sha256_of(self.folder / name), "results": {}}
        self._write()
        self._point_to(name)

    def record(self, name: str, results: Mapping[str, float]) -> None:
        """Store the finite results of a checkpoint, by metric."""
        self.entries[name]["results"] = {metric: value for metric, value in results.items() if math.isfinite(value)}
        self._write()

    def drop_after(self, iteration: int) -> None:
        """Remove checkpoints of later iterations from the index; their files stay until they are overwritten."""
        kept = {name: entry for name, entry in self.entries.items() if entry["iteration"] <= iteration}
        if kept != self.entries:
            if kept:  # first, so that it never names one that is not in the index
                self._point_to(max(kept, key=lambda name: kept[name]["iteration"]))
            self.entries = kept
            self._write()

    def prune(self, policy: KeepPolicy) -> None:
        """Delete the checkpoints that a rule does not keep."""
        names = policy.to_delete(self.entries)
        for name in names:
            del self.entries[name]
        if names:
            self._write()  # first, so that the index never names a deleted file
        for name in names:
            (self.folder / name).unlink(missing_ok=True)

    def newest_intact(self) -> Path | None:
        """Return the newest checkpoint that is neither missing nor damaged, up to the one in ``last_checkpoint``.

        A warning is logged for each missing or damaged one. None is returned if there has been no checkpoint.

        Raises:
            CheckpointError: all checkpoints are missing or damaged.
        """
        candidates = self._up_to_last()
        for name in candidates:
            path = self.folder / name
            if not path.is_file():
                problem = "is missing"
            elif name in self.entries and sha256_of(path) != self.entries[name]["sha256"]:
                problem = "is damaged: its content has another hash than when it was written"
            else:
                return path
            logger.warning("The checkpoint %s %s; trying the one before it.", path, problem)
        if candidates:
            raise CheckpointError(
                f"All checkpoints of {self.folder} are missing or damaged ({', '.join(candidates)}): restore one of "
                "them from a copy, or start a new run without --resume."
            )
        return None

    def _up_to_last(self) -> list[str]:
        """Return the names of the checkpoints from the one in ``last_checkpoint`` to the oldest."""
        pointer = self.folder / LAST
        if not pointer.is_file():
            return []
        last = pointer.read_text(encoding="utf-8").strip()
        names = sorted(self.entries, key=lambda name: self.entries[name]["iteration"], reverse=True)
        if last in names:
            return names[names.index(last) :]
        if (
            last and (self.folder / last).is_file()
        ):  # without an index, as in a folder of Detectron2 or one that was copied in part
            return [last]
        on_disk = sorted((path.name for path in self.folder.glob("model_[0-9]*.pth")), reverse=True)
        logger.warning("%s names %r, which does not exist; using the newest checkpoint.", pointer, last)
        return names or on_disk or [last]

    def _point_to(self, name: str) -> None:
        write_text(self.folder / LAST, name, durable=True)

    def _write(self) -> None:
        write_json(self.folder / INDEX, self.entries, indent=1, durable=True)


def delete_checkpoint_index(folder: Path) -> None:
    """Delete the index of an earlier run, so that it cannot be resumed; its checkpoint files stay."""
    if (folder / LAST).exists() or (folder / INDEX).exists():
        logger.warning("%s has an earlier run, which this new one replaces; to resume it, use --resume.", folder)
    (folder / LAST).unlink(missing_ok=True)
    (folder / INDEX).unlink(missing_ok=True)


def delete_unfinished_checkpoints(folder: Path) -> None:
    """Delete the temporary files of a run that was killed while it wrote a checkpoint."""
    for path in folder.glob(".model_*.tmp.pth"):
        path.unlink(missing_ok=True)


def warn_of_unknown_metric(metric: str, results: Mapping[str, float]) -> None:
    """Log a warning if the metric of SOLVER.KEEP_CHECKPOINTS.BEST is not among the results.

    Args:
        metric: name of the metric; empty for none.
        results: percent by metric.
    """
    if metric and metric not in results:
        logger.warning(
            "SOLVER.KEEP_CHECKPOINTS.BEST is %r, but no evaluation has this metric.%s",
            metric,
            did_you_mean(metric, results),
        )
