"""Measure the verb label on ToyWorld: throughput of batches, memory over many images, runs that are killed.

The model is the one in the package, without SAM proposals; the images are rendered. Throughputs are ratios of times
that are measured in pairs and alternate in one process: batches with background loading against single images without.

Examples:
  a batch of 8 against one call an image, on 200 images, five pairs:
    python tools/benchmark_labelling.py throughput --images 200 --batch 8

  resident memory after each tenth of 2000 images:
    python tools/benchmark_labelling.py memory --images 2000

  200 mixed images, some of them broken, labelled in one go; and killed twice and resumed: the files are compared
    python tools/benchmark_labelling.py kills --images 200
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

from frozenseg.atomic import write_json
from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.output_paths import require_file
from lab.labelling import MEASUREMENT_NAMES


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("measurement", choices=MEASUREMENT_NAMES)
    parser.add_argument("--images", type=whole_number_flag(10, 10**6, "images"), default=200, metavar="N")
    parser.add_argument("--size", type=whole_number_flag(32, 4096, "pixels"), default=128, help="side of the images")
    parser.add_argument("--batch", type=whole_number_flag(1, 1024, "images"), default=8, metavar="N")
    parser.add_argument("--pairs", type=whole_number_flag(1, 1000, "pairs"), default=5, metavar="N")
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the numbers to this JSON file")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Run a measurement in a temporary folder, and print its numbers."""
    from lab.labelling.measurements import MEASUREMENTS

    if arguments.output is not None:
        require_file(arguments.output, "--output")
    with tempfile.TemporaryDirectory(prefix="frozenseg_labelling_") as folder:
        numbers = MEASUREMENTS[arguments.measurement](Path(folder), arguments)
    print(json.dumps(numbers, indent=2))
    if arguments.output is not None:
        write_json(arguments.output, numbers, indent=2)


if __name__ == "__main__":
    raise SystemExit(main())
