"""Compare the model with recorded outputs of the reference implementation, stage by stage.

A golden is a recorded case: NAME.json with config values, vocabulary and inputs, and NAME.npz with the outputs of the
reference. Weights are deterministic, so nothing is downloaded. A stage agrees if the largest difference is at most the
maximum of four times the noise of the reference, 1e-4 of the standard deviation of the values, and 32 units in the last
place of the largest value. Sums over queries may differ by the tolerance of their terms. A mask pixel within rounding
of the threshold is a tie: it is assigned the side of the reference, and counted.

Examples:
  all cases of a folder (the exit code is 0 only if every stage of every case agrees, else 1):
    python tools/parity.py --goldens GOLDENS

  two of them:
    python tools/parity.py --goldens GOLDENS --case fcclip_r50 components

  only stages that differ, and the summary:
    python tools/parity.py --goldens GOLDENS --quiet

  the same cases computed by this checkout, as goldens that a later version can be compared with:
    python tools/parity.py --goldens GOLDENS --record MINE

  the error of each stage on a GPU, in bfloat16, with 8-bit weights or compiled, relative to its standard deviation:
    python tools/parity.py --goldens MINE --device cuda --precision bfloat16
    python tools/parity.py --goldens MINE --device cuda --compile
    python tools/parity.py --goldens GOLDENS --case fcclip_r50 --int8

The large cases need up to 12 GiB of memory, and one or two minutes each on two cores.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag

PRECISIONS = ("float32", "bfloat16", "float16", "int8")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--goldens", type=Path, required=True, metavar="DIR", help="folder with the goldens")
    parser.add_argument("--case", nargs="+", default=[], metavar="NAME", help="cases to run (default: all)")
    parser.add_argument("--quiet", action="store_true", help="print only the stages that differ")
    parser.add_argument(
        "--record", type=Path, metavar="DIR", help="write the values of this checkout to DIR instead of comparing them"
    )
    parser.add_argument("--device", default="cpu", help="device that runs the cases (default: cpu)")
    parser.add_argument(
        "--precision",
        choices=PRECISIONS,
        default="float32",
        help="of the frozen encoders, and, but for int8, of the decoders under autocast (default: float32)",
    )
    parser.add_argument("--int8", action="store_true", help="8-bit weights of the frozen image encoders")
    parser.add_argument("--compile", action="store_true", help="compile the encoders and decoders with torch.compile")
    parser.add_argument(
        "--threads",
        type=whole_number_flag(1, 1_024, "threads"),
        metavar="N",
        help="threads of PyTorch (default: chosen by PyTorch)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> int:
    """Run all cases; returns the exit code."""
    from lab.parity.all_cases import run_all

    return run_all(arguments)


if __name__ == "__main__":
    raise SystemExit(main())
