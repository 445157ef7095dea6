"""The drill: runs each fault and compares the resumed run with an undisturbed one, bit by bit."""

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from frozenseg.errors import ConfigError
from frozenseg.toyworld.export import Recipe, export_split
from lab.fault_drill.faults import FAULTS
from lab.fault_drill.training_run import DrillError, TrainingRun

SAME = "yes"


class DrillResult(NamedTuple):
    """One line of the table.

    Attributes:
        fault: name of the fault.
        happened: description of what happened, or of what went wrong.
        lost: steps of a checkpoint that had to be repeated.
        same: ``yes``, or the differences to the undisturbed run.
    """

    fault: str
    happened: str
    lost: int
    same: str

    @property
    def passed(self) -> bool:
        """True if nothing was lost and the result is the same."""
        return self.lost <= 0 and self.same == SAME


def run_drill(faults: Sequence[str], folder: Path | None, steps: int, seed: int, kills: int) -> list[DrillResult]:
    """Run an undisturbed training, then one with each fault.

    Args:
        faults: names from ``FAULTS``.
        folder: new or empty folder for all runs; None for a temporary one.
        steps: of each training.
        seed: of the random kill points.
        kills: number of random kill points.

    Raises:
        ConfigError: The folder is not empty.
    """
    with tempfile.TemporaryDirectory() as temporary:
        root = (folder or Path(temporary)).resolve()
        if root.is_dir() and any(root.iterdir()):
            raise ConfigError(f"--folder {root} is not empty: name a new one.")
        data = root / "data"
        export_split(data / "toyworld" / "train", Recipe("train", 0, 16, 64, 64), quiet=True)
        reference = TrainingRun(root / "undisturbed", data, steps, seed, kills)
        reference.finish()
        results = []
        for fault in faults:
            print(f"{fault} …", file=sys.stderr, flush=True)
            results.append(run_fault(fault, TrainingRun(root / fault, data, steps, seed, kills), reference))
    return results


def run_fault(fault: str, run: TrainingRun, reference: TrainingRun) -> DrillResult:
    """Run one fault and compare the run with the undisturbed one."""
    with run.cleanup:
        try:
            happened = FAULTS[fault](run)
            return DrillResult(fault, happened, run.lost, differences(run, reference))
        except DrillError as error:
            return DrillResult(fault, str(error), run.lost, "no")


def differences(run: TrainingRun, reference: TrainingRun) -> str:
    """Return the steps and weights in which two runs differ, or ``yes`` if all bits are the same."""
    actual, expected = run.metrics(), reference.metrics()
    steps = [step for step in sorted(actual.keys() | expected.keys()) if actual.get(step) != expected.get(step)]
    weights, expected_weights = (
        torch.load(each.folder / "model_final.pth", weights_only=True)["model"] for each in (run, reference)
    )
    names = [
        name
        for name in expected_weights
        if name not in weights or not torch.equal(weights[name], expected_weights[name])
    ]
    parts = [f"steps {steps[0]} to {steps[-1]}"] if steps else []
    parts += [f"{len(names)} of {len(expected_weights)} weights"] if names else []
    return f"no: {', '.join(parts)}" if parts else SAME
