"""Measure the limits of ToyWorld's CLIP or SAM on zero-shot scenes, on a CPU in a few minutes.

Examples:
    python tools/measure_toyworld_encoders.py sam --scenes 50
    python tools/measure_toyworld_encoders.py sam --filters --scenes 15
    python tools/measure_toyworld_encoders.py clip --scenes 60

SAM: IoU of its masks at points, by position of the point and by area, shape and pattern of the thing; with --filters,
recall and precision of its automatic masks under several thresholds. CLIP: accuracy on things, by size of the input and
of the thing, and the words that it confuses.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.errors import ConfigError

POINT_HEADS: tuple[str, ...] = ("group", "of", "masks", "IoU", "IoU, best of three", "precision", "recall")
FILTER_HEADS: tuple[str, ...] = (
    "predicted IoU above", "stability offset", "masks", "recall 0.5", "recall 0.75", "recall 0.9", "precision 0.5"
)  # fmt: skip
CLIP_HEADS: tuple[str, ...] = ("input", "pixels", "accuracy", "small things", "large things", "share of errors")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("model", choices=("clip", "sam"), help="encoder to measure")
    parser.add_argument("--weights", default="toyworld", help="file, or toyworld for the package's (default: toyworld)")
    parser.add_argument(
        "--scenes", type=whole_number_flag(1, 10_000, "scenes"), default=50, help="scenes (default: 50)"
    )
    parser.add_argument("--filters", action="store_true", help="measure filters of automatic masks (sam)")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: run(arguments))


def run(arguments: argparse.Namespace) -> None:
    """Measure, and print a table.

    Raises:
        ConfigError: ``--filters`` is given for CLIP.
    """
    from tabulate import tabulate

    from frozenseg.log import setup_logging
    from frozenseg.modeling.clip.build import build_clip
    from frozenseg.modeling.pretrained import TOYWORLD_CLIP, TOYWORLD_SAM
    from frozenseg.modeling.sam.build import build_sam
    from frozenseg.modeling.sam.weights import read_tensors, sam_name_of
    from lab.pretraining.clip_limits import size_rows
    from lab.pretraining.sam_limits import filter_rows, point_rows
    from lab.pretraining.scores import zero_shot_scenes

    setup_logging()
    scenes = zero_shot_scenes(arguments.scenes)
    if arguments.model == "clip":
        if arguments.filters:
            raise ConfigError("--filters is for SAM, not for CLIP: leave it out.")
        table = [CLIP_HEADS, *size_rows(build_clip(TOYWORLD_CLIP, arguments.weights), scenes)]
    else:
        file = Path(arguments.weights)
        name = sam_name_of(read_tensors(file)) if file.is_file() else None
        sam = build_sam(name or TOYWORLD_SAM, arguments.weights)
        table = (
            [FILTER_HEADS, *filter_rows(sam, scenes)] if arguments.filters else [POINT_HEADS, *point_rows(sam, scenes)]
        )
    print(tabulate(table, headers="firstrow", tablefmt="github", disable_numparse=True))


if __name__ == "__main__":
    raise SystemExit(main())
