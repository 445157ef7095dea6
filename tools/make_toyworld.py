"""Generate ToyWorld, the synthetic open-vocabulary data set, in COCO panoptic format.

Example:
    python tools/make_toyworld.py --root datasets --seed 0 --train 2000 --val 200

writes datasets/toyworld/{train,val_seen,val_unseen} and datasets/toyworld/preview.png in seconds. The other scripts
read it from the folder in the environment variable DETECTRON2_DATASETS (default: datasets). With --difficulty 1, 2
or 3, colours and outlines are less and less reliable.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.cli.toyworld_data import make_toyworld


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument(
        "--root",
        type=Path,
        default=Path(os.environ.get("DETECTRON2_DATASETS", "datasets")),
        help="folder of the data sets; ToyWorld is written to ROOT/toyworld, or to ROOT if ROOT is named toyworld "
        "(default: $DETECTRON2_DATASETS, or datasets)",
    )
    parser.add_argument("--seed", type=int, default=0, help="the same seed gives the same files (default: 0)")
    parser.add_argument("--train", type=int, default=2000, help="training images (default: 2000)")
    parser.add_argument("--val", type=int, default=200, help="images in each of val_seen and val_unseen (default: 200)")
    parser.add_argument("--size", type=int, default=128, help="height and width of the images in pixels (default: 128)")
    parser.add_argument(
        "--difficulty",
        type=int,
        default=0,
        metavar="LEVEL",
        help="0 to 3, from things that colours tell apart to camouflage, holes and clutter (default: 0); write each "
        "level to another root",
    )
    parser.add_argument(
        "--workers",
        type=whole_number_flag(1, 1_024, "processes"),
        default=min(8, os.cpu_count() or 1),
        help="processes (default: one per core, at most 8)",
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: make_toyworld(arguments))


if __name__ == "__main__":
    raise SystemExit(main())
