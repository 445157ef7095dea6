"""Compare the model with the numbers of the reference, stage by stage.

A golden is a NAME.json beside a NAME.npz: config values, vocabulary and inputs of a case, and what the reference
computed. Weights are deterministic, so nothing is downloaded. A stage agrees if no value is further away than four
times the noise of the reference itself, or 1e-4 of the values' standard deviation (1e-6 of the greatest of values that
hardly vary). Where a mask pixel lies so near to
the threshold that the reference's side of it is chance (a tie), that side is looked for, taken, and counted.

Examples:
  all cases of a folder (the exit code is 0 only if every stage of every case agrees):
    python tools/parity.py --goldens ../shared/parity

  two of them:
    python tools/parity.py --goldens ../shared/parity --case fcclip_r50 components

  only what differs, and the summary:
    python tools/parity.py --goldens ../shared/parity --quiet

The large cases need up to 12 GiB of memory and a minute or two each on two cores.
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from tabulate import tabulate

from frozenseg.errors import FrozenSegError
from lab.parity.compare import Row, first_difference, table
from lab.parity.goldens import find_goldens, read_golden
from lab.parity.models import Models
from lab.parity.run import run_golden

DIFFERENT = 1
# what a golden that lacks something or has another form ends in; the other cases go on
BROKEN = (FrozenSegError, KeyError, IndexError, TypeError, ValueError, AttributeError, RuntimeError)
HEADERS = ("case", "stages", "differ", "ties", "nearest to its tolerance", "seconds", "verdict")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("--goldens", type=Path, required=True, metavar="DIR", help="folder of the goldens")
    parser.add_argument("--case", nargs="+", default=[], metavar="NAME", help="cases to run (default: all)")
    parser.add_argument("--quiet", action="store_true", help="print only the stages that differ")
    parser.add_argument("--threads", type=int, metavar="N", help="threads of torch (default: its own choice)")
    return parser.parse_args(argv)


def compare_all(arguments: argparse.Namespace) -> int:
    """Run the cases one after the other and print their tables; returns the exit code."""
    models, summary, first = Models(), [], None
    for path in find_goldens(arguments.goldens.expanduser(), arguments.case):
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
    print(f"\nFirst difference: {first.stage} of {first.case}. What comes after it in that case may follow from it.")
    return DIFFERENT


def run_case(path: Path, models: Models) -> list[Row]:
    """Return the rows of a case; one that cannot be run ends with a row that fails."""
    rows: list[Row] = []
    try:
        for row in run_golden(read_golden(path), models):
            rows.append(row)
    except BROKEN as error:
        kind = "" if isinstance(error, FrozenSegError) else f"{type(error).__name__}: "
        print(f"error: {path.stem}: {kind}{error}", file=sys.stderr)
        rows.append(Row(path.stem, "could not be run to its end", float("nan"), float("nan"), 0.0, 0, False))
    return rows


def summarise(rows: Sequence[Row]) -> list[str]:
    """Return counts of stages, differences and ties, and the largest share of a tolerance that was used."""
    differ = sum(not row.passed for row in rows)
    used = max((row.maximum / row.tolerance for row in rows if row.tolerance > 0), default=0.0)
    return [str(len(rows)), str(differ or ""), str(sum(row.ties for row in rows) or ""), f"{100 * used:.0f} %"]


def verdict_of(rows: Sequence[Row]) -> str:
    """Return one word for a whole case."""
    return "agrees" if all(row.passed for row in rows) else "DIFFERS"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    try:
        return compare_all(arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
