"""Train FrozenSeg on ToyWorld from start to end: make the data, train, evaluate, draw. Ten minutes on two cores.

Every step is a verb of the command `frozenseg`. Its command is printed before it runs, so that you can repeat it by
hand. The last steps are controls: evaluation with shuffled class names or with an untrained CLIP, and baselines without
training. Only the baseline that knows the renderer's colours, outlines and materials may score close to the
model. A second call starts from scratch. `frozenseg quickstart` does the same without a clone.

Example:
    python tools/quickstart.py --output output/quickstart
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.cli.verbs import quickstart

ROOT = Path(__file__).resolve().parents[1]


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line; the data go to the folder ``datasets`` of the repository."""
    parser = docstring_parser(__doc__)
    quickstart.add_arguments(parser)
    parser.set_defaults(root="datasets")
    return parser.parse_intermixed_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run all steps and return the exit code of the first one that fails, or 0."""
    arguments = parse_arguments(argv)
    os.chdir(ROOT)  # relative paths start from the repository
    return run_script(lambda: quickstart.run(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
