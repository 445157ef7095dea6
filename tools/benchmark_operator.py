r"""Time the implementations of multi-scale deformable attention, and compare them with float64.

Examples:
  the layer of a 1024x1024 image, on this machine's processor:
    python tools/benchmark_operator.py --device cpu

  a GPU, in all types, with errors of outputs and gradients, and all numbers in a file:
    python tools/benchmark_operator.py --device cuda --dtypes float32,float16,bfloat16 --check --json operator.json

Implementations: torch (grid_sample, the readable one), bag (sums of table rows, CPU), triton (CUDA). They run in turn;
times are medians, with the difference of largest and smallest. Bytes are those of all inputs and outputs, each counted
once; the roofline is the bandwidth of a large copy in the same run.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.output_paths import require_file
from lab.model_timing.model_of_config import parse_size

if TYPE_CHECKING:
    from lab.operator_timing.measure import Errors, Timing

DTYPES = ("float32", "float16", "bfloat16", "float64")
CHECKED = "64x96"  # size of the image for --check


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto (default: auto)")
    parser.add_argument("--size", default="1024x1024", metavar="HxW", help="of the image (default: %(default)s)")
    counts = {"batch": 1, "heads": 8, "channels": 32, "points": 4, "rounds": 5}
    for name, default in counts.items():
        flag = whole_number_flag(1, 10_000, name)
        parser.add_argument(f"--{name}", type=flag, default=default, metavar="N", help=f"(default: {default})")
    parser.add_argument("--dtypes", default="float32", metavar="NAME[,NAME...]", help=f"of {', '.join(DTYPES)}")
    parser.add_argument("--implementations", default="", metavar="NAME[,NAME...]", help="default: all of the device")
    parser.add_argument("--check", action="store_true", help=f"print errors against float64, at {CHECKED}")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write all numbers to this JSON file")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: time_operator(arguments))


def time_operator(arguments: argparse.Namespace) -> None:
    """Print the tables, and write the JSON file if one is named."""
    import torch

    from frozenseg import atomic
    from frozenseg.device import pick_device
    from frozenseg.errors import ConfigError, did_you_mean
    from lab.operator_timing.implementations import Size, implementations, random_inputs
    from lab.operator_timing.measure import copy_rate, errors_of, time_all

    if arguments.json:
        require_file(arguments.json, "--json")
    for name in (names := arguments.dtypes.split(",")):
        if name not in DTYPES:
            raise ConfigError(f"--dtypes has {name!r}.{did_you_mean(name, DTYPES)} Available: {', '.join(DTYPES)}.")
    dtypes = [getattr(torch, name) for name in names]
    device = pick_device(arguments.device, "--device")
    attentions = implementations(device, arguments.implementations.split(",") if arguments.implementations else ())
    shape = (arguments.batch, arguments.heads, arguments.channels, arguments.points)
    size = Size(*parse_size(arguments.size), *shape)
    errors = []
    if arguments.check:
        readable = {**implementations(device, ("torch",)), **attentions}
        errors = errors_of(readable, random_inputs(Size(*parse_size(CHECKED), *shape), device), dtypes)
        print(table_of_errors(errors), end="\n\n")
    timings = time_all(attentions, random_inputs(size, device), dtypes, arguments.rounds)
    roofline = copy_rate(device)
    print(f"{size.height}x{size.width}, batch {size.batch}, {device.type}; a copy moves {roofline / 1e9:.0f} GB/s\n")
    print(table_of_timings(timings, roofline))
    if arguments.json:
        content = {
            "size": size._asdict(),
            "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
            "torch": torch.__version__,
            "copy_bytes_per_second": roofline,
            "errors": [row._asdict() for row in errors],
            "timings": [row._asdict() for row in timings],
        }
        atomic.write_json(arguments.json, content, indent=2)


def table_of_timings(timings: Sequence["Timing"], roofline: float) -> str:
    """Return the table of seconds, each also as multiple of those of ``torch``, and of the copy of the same bytes."""
    from tabulate import tabulate

    slowest = {(row.dtype, row.work): row.seconds for row in timings if row.implementation == "torch"}
    rows = []
    for row in timings:
        readable = slowest.get((row.dtype, row.work))
        rows.append(
            [
                row.implementation,
                row.dtype,
                row.work,
                f"{row.seconds * 1e3:.3g}",
                f"{row.spread * 1e3:.2g}",
                "-" if readable is None else f"{readable / row.seconds:.2f}",
                f"{row.bytes / 1e6:.0f}",
                f"{row.bandwidth / 1e9:.3g}",
                f"{row.seconds * roofline / row.bytes:.1f}",
            ]
        )
    headers = ["implementation", "type", "work", "ms", "spread", "x torch", "MB", "GB/s", "x roofline"]
    table: str = tabulate(rows, headers, disable_numparse=True)
    return table


def table_of_errors(errors: Sequence["Errors"]) -> str:
    """Return the table of the largest errors against float64."""
    from tabulate import tabulate

    rows = [[row.implementation, row.dtype, *(f"{each:.1e}" for each in row[2:])] for row in errors]
    headers = ["implementation", "type", "output", "gradient of values", "of locations", "of weights"]
    table: str = tabulate(rows, headers, disable_numparse=True)
    return f"largest error against float64, in deviations of the values\n\n{table}"


if __name__ == "__main__":
    raise SystemExit(main())
