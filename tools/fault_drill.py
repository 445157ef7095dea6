"""Disturb training by the faults of long runs, resume it with --resume, and check that nothing is lost.

The tiny ToyWorld model is trained in subprocesses, once undisturbed and once with each fault: kills at random points, a
truncated checkpoint, a full disk, SIGTERM, a damaged image, and NaN losses. All losses in metrics.json and all final
weights are compared bit by bit. The exit code is 0 if nothing is lost, else 1.

Examples:
  all faults, some minutes on two cores:
    python tools/fault_drill.py --kills 20

  two of them, with the runs kept in a folder:
    python tools/fault_drill.py --only truncate sigterm --folder output/fault_drill
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from lab.fault_drill.faults import FAULTS

HEADERS = ("fault", "what happened", "steps lost beyond the checkpoint", "same result")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--only", nargs="*", default=list(FAULTS), choices=FAULTS, help="faults to run (default: all)")
    parser.add_argument(
        "--kills",
        type=whole_number_flag(1, 100_000, "kills"),
        default=20,
        help="number of random kill points (default: 20)",
    )
    parser.add_argument(
        "--steps",
        type=whole_number_flag(1, 100_000, "steps"),
        default=60,
        help="steps of each training (default: 60)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random kill points (default: 0)")
    parser.add_argument("--folder", type=Path, help="keep the runs in this new folder (default: a temporary folder)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code: 0 if nothing is lost, 1 if something is."""
    arguments = parse_arguments(argv)
    return run_script(lambda: drill(arguments))


def drill(arguments: argparse.Namespace) -> int:
    """Run the drill and print its table; returns 0 if nothing is lost, else 1."""
    from tabulate import tabulate

    from lab.fault_drill.drill import run_drill

    results = run_drill(arguments.only, arguments.folder, arguments.steps, arguments.seed, arguments.kills)
    print(tabulate(results, HEADERS))
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    raise SystemExit(main())
