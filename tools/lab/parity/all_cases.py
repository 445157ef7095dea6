"""Runs of all cases of a folder: their tables, the summary, and the exit code."""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tabulate import tabulate

from frozenseg.device import pick_device
from frozenseg.errors import FrozenSegError
from frozenseg.output_paths import require_folder
from lab.parity.compare import Row, error_table, first_difference, relative_error, table
from lab.parity.goldens import COMPONENTS, find_goldens, read_golden
from lab.parity.models import Models
from lab.parity.record import Setup, errors_by_stage, record, write_golden
from lab.parity.run import run_golden

DIFFERENT = 1  # exit code
# raised by an incomplete or malformed golden; the other cases are still run
BROKEN = (FrozenSegError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError)
HEADERS = ("case", "stages", "differ", "ties", "largest share of a tolerance", "seconds", "verdict")


def run_all(arguments: argparse.Namespace) -> int:
    """Compare all cases with their goldens, or record them; returns the exit code.

    Args:
        arguments: of the script.
    """
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    setup = (arguments.device, arguments.precision, arguments.compile, arguments.int8)
    default = setup == ("cpu", "float32", False, False)
    return compare_all(arguments) if default and not arguments.record else run_recorded(arguments)


def compare_all(arguments: argparse.Namespace) -> int:
    """Run all cases, print their tables and the summary, and return the exit code."""
    models, summary, first = Models(), [], None
    for path in find_goldens(Path(os.path.expanduser(arguments.goldens)), arguments.case):
        started = time.perf_counter()
        rows = run_case(path, models)
        shown = [row for row in rows if not (arguments.quiet and row.passed)]
        if shown:
            print(table(shown), flush=True)
        first = first or first_difference(rows)
        summary.append([path.stem, *summarise(rows), f"{time.perf_counter() - started:.0f}", verdict_of(rows)])
        print(f"{path.stem}: {verdict_of(rows)} ({len(rows)} stages, {summary[-1][-2]} s)\n", flush=True)
    print(tabulate(summary, headers=HEADERS, disable_numparse=True))
    if first is None:
        print("\nEvery stage of every case agrees.")
        return 0
    print(f"\nFirst difference: {first.stage} of {first.case}. Later differences of that case may follow from it.")
    return DIFFERENT


def run_case(path: Path, models: Models) -> list[Row]:
    """Return the rows of a case; the last one fails if the case stops with an error."""
    rows: list[Row] = []
    try:
        for row in run_golden(read_golden(path), models):
            rows.append(row)
    except BROKEN as error:
        kind = "" if isinstance(error, FrozenSegError) else f"{type(error).__name__}: "
        print(f"error: {path.stem}: {kind}{error}", file=sys.stderr)
        rows.append(Row(path.stem, "stopped by an error", float("nan"), float("nan"), 0.0, 0, False))
    return rows


def summarise(rows: Sequence[Row]) -> list[str]:
    """Return the numbers of stages, differences and ties, and the largest difference as a share of its tolerance."""
    differ = sum(not row.passed for row in rows)
    used = max((row.maximum / row.tolerance for row in rows if row.tolerance > 0), default=0.0)
    return [str(len(rows)), str(differ or ""), str(sum(row.ties for row in rows) or ""), f"{100 * used:.0f} %"]


def verdict_of(rows: Sequence[Row]) -> str:
    """Return the verdict on a case: ``agrees`` or ``DIFFERS``."""
    return "agrees" if all(row.passed for row in rows) else "DIFFERS"


def run_recorded(arguments: argparse.Namespace) -> int:
    """Record the cases, or print their errors by stage on another device or in another precision."""
    dtype, device = getattr(torch, arguments.precision), pick_device(arguments.device).type
    setup = Setup(device, dtype, arguments.compile, arguments.int8)
    if arguments.record:
        require_folder(arguments.record, "--record")
    for path in find_goldens(Path(os.path.expanduser(arguments.goldens)), arguments.case):
        golden = read_golden(path)
        if golden.kind == COMPONENTS:
            print(f"{path.stem}: left out, as components have no model.")
            continue
        recorded = record(golden, Models(), setup)
        if arguments.record:
            write_golden(arguments.record / path.name, recorded)
            print(f"{path.stem}: {len(recorded.arrays)} arrays in {arguments.record / path.name}.", flush=True)
        else:
            rows = list(errors_by_stage(golden, recorded))
            print(error_table(rows), flush=True)
            worst = max(rows, key=relative_error)
            print(f"{path.stem}: largest relative error {relative_error(worst):.1e}, of {worst.stage}.\n", flush=True)
    return 0
