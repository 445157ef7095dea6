"""Compare the panoptic quality of ToyWorld's model with that of its export, or measure the memory of any export.

Examples:
  50 scenes, the export run by a Python without PyTorch:
    python3 -m venv bare && bare/bin/pip install numpy onnxruntime tokenizers pillow
    python tools/measure_export.py --scenes 50 --python bare/bin/python

  the cost of 8-bit weights of the frozen encoders:
    python tools/measure_export.py --int8 --tolerance 5

  peak memory and processor time of an export with its check; all that follows --memory are flags of `frozenseg export`:
    python tools/measure_export.py --memory --words "cat; dog" --check photo.jpg --output exported

PyTorch and onnxruntime segment the same images with all classes of ToyWorld, seen and unseen, without SAM proposals.
The exit code is 0 if the difference in PQ is at most --tolerance, or with --memory that of the export.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, number_flag, run_script, whole_number_flag


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--weights", default="toyworld", metavar="NAME", help="model (default: toyworld)")
    parser.add_argument("--exported", metavar="DIR", help="an export with ToyWorld's vocabulary (default: make one)")
    parser.add_argument("--int8", action="store_true", help="export with 8-bit weights of the frozen encoders")
    parser.add_argument(
        "--scenes", type=whole_number_flag(1, 10_000, "scenes"), default=50, help="number of images (default: 50)"
    )
    parser.add_argument(
        "--python", default=sys.executable, metavar="PATH", help="interpreter of the runtime (default: this one)"
    )
    parser.add_argument(
        "--tolerance", type=number_flag(0, 100, "points"), default=0.1, help="difference in PQ (default: 0.1)"
    )
    parser.add_argument(
        "--work", type=Path, default=Path("output/measure_export"), metavar="DIR", help="folder for scenes and files"
    )
    parser.add_argument(
        "--memory", nargs=argparse.REMAINDER, metavar="FLAG", help="run `frozenseg export FLAG …`, and print its memory"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Measure what was chosen; returns the exit code."""
    if arguments.memory is not None:
        from lab.export_quality.memory import measure_memory

        return measure_memory(arguments.memory)
    from lab.export_quality.measure import measure

    return measure(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
