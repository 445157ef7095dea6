"""Time this project's metrics against the usual implementations.

Both compute the metrics of the same synthetic images, alternating in one process, and their results are checked to be
equal. The usual implementations are those of the field's evaluators: PNG files written and read again for PQ, an argmax
over all score maps and run lengths of every class for mIoU, pycocotools for AP.

Examples:
  all timings, two minutes or so:
    python tools/benchmark_evaluation.py

  PQ on larger images, with the numbers in a file:
    python tools/benchmark_evaluation.py --only pq --size 1024 2048 --output speed.json
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from frozenseg.atomic import write_json
from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.output_paths import require_file
from lab.metric_timing import TIMING_NAMES


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument(
        "--only", nargs="+", choices=TIMING_NAMES, default=list(TIMING_NAMES), help="timings (default: all)"
    )
    parser.add_argument("--images", type=int, default=15, metavar="N", help="images of each timing (default: 15)")
    parser.add_argument(
        "--size", type=int, nargs=2, default=[480, 640], metavar=("H", "W"), help="image size (default: 480 640)"
    )
    parser.add_argument(
        "--threads",
        type=whole_number_flag(0, 1_024, "threads"),
        default=0,
        metavar="N",
        help="threads of PyTorch (default: its choice)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the numbers to this JSON file")
    arguments = parser.parse_args(argv)
    if arguments.images < 2:
        parser.error(f"--images is {arguments.images}: at least 2 are needed")
    if min(arguments.size) < 32:
        parser.error(f"--size is {' '.join(map(str, arguments.size))}: at least 32 32 is needed")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: time_metrics(arguments))


def time_metrics(arguments: argparse.Namespace) -> None:
    """Run the timings, print their table, and write the JSON file if one is named."""
    import torch
    from tabulate import tabulate

    from lab.metric_timing.comparisons import TIMINGS

    if arguments.output:
        require_file(arguments.output, "--output")
    torch.set_num_threads(arguments.threads or torch.get_num_threads())
    size = tuple(arguments.size)
    with tempfile.TemporaryDirectory() as folder:
        rows = [row for name in arguments.only for row in TIMINGS[name](size, arguments.images, Path(folder))]
    if arguments.output:
        content = [{**row._asdict(), "ratio": row.ratio} for row in rows]
        write_json(arguments.output, {"size": size, "images": arguments.images, "rows": content}, indent=2)
    lines = [[row.what, f"{row.usual:.2f}", f"{row.ours:.2f}", f"{row.ratio:.1f} ×", row.note] for row in rows]
    print(f"\n{size[0]}×{size[1]}, median ms per image, {torch.get_num_threads()} threads\n")
    headers = ["", "usual", "ours", "speed-up", ""]
    print(tabulate(lines, headers, disable_numparse=True, colalign=("left", *["right"] * 3)))


if __name__ == "__main__":
    raise SystemExit(main())
