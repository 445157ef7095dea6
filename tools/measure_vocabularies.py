"""Measure vocabularies of which an image has only a part: absent names, the vocabulary auto, and a second vocabulary.

Examples:
  false segments of 1, 3 and 10 absent names on ToyWorld, with and without negatives; minutes:
    python tools/measure_vocabularies.py absent

  the same by the void discount (objectness from CLIP), mean over models:
    python tools/measure_vocabularies.py void --scenes 60 --size 128 --weights toyworld

  precision and recall of the names that auto uses on ToyWorld:
    python tools/measure_vocabularies.py auto --scenes 50

  time of a second vocabulary on an embedded image at full size, with random weights:
    python tools/measure_vocabularies.py time --config fcclip/r50.yaml

  time of all names of auto and of an image with them, with random weights; many minutes:
    python tools/measure_vocabularies.py auto-time --config fcclip/r50.yaml --size 640
"""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

from frozenseg.atomic import write_json
from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag
from frozenseg.output_paths import require_file

if TYPE_CHECKING:
    from frozenseg import Segmenter
    from lab.vocabulary_measures.absent_names import Row

MEASURES = ("absent", "void", "auto", "time", "auto-time")
WEIGHTS = (0.0, 0.1, 0.3, 1.0)  # of the negatives; 0: none
DISCOUNTS = (0.0, 0.25, 0.5, 1.0)  # of the void probability
IMAGE_WEIGHTS = (0.0, 0.5)  # of the evidence of the whole image
THRESHOLDS = (0.1, 0.25, 0.4, 0.6)  # of evidence
NO_WEIGHTS = ("MODEL.CLIP.CLIP_PRETRAINED_WEIGHTS", "random")


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("measure", choices=MEASURES, help="the measure")
    number = whole_number_flag(1, 10_000, "scenes")
    parser.add_argument("--scenes", type=number, default=24, metavar="N", help="scenes of ToyWorld (default: 24)")
    parser.add_argument(
        "--seed",
        type=whole_number_flag(0, 10**6, "seeds"),
        default=7,
        metavar="N",
        help="of scenes, random weights",
    )
    pixels = whole_number_flag(32, 4_096, "pixels")
    parser.add_argument("--size", type=pixels, default=192, metavar="PIXELS", help="side of a scene (default: 192)")
    parser.add_argument(
        "--names", type=int, nargs="+", default=[1, 3, 10], metavar="N", help="sizes of the vocabulary of absent names"
    )
    parser.add_argument(
        "--weights", nargs="+", default=["toyworld"], metavar="FILE", help="void: trained models (default: toyworld)"
    )
    parser.add_argument(
        "--config", help="time, auto-time: a shipped config, built with random weights (default: toyworld)"
    )
    parser.add_argument("--output", metavar="FILE", help="also write the numbers to this JSON file")
    arguments = parser.parse_args(argv)
    if min(arguments.names) < 1 or max(arguments.names) > 30:
        parser.error(f"--names is {' '.join(map(str, arguments.names))}: give numbers from 1 to 30")
    return arguments


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Print the table of a measure, and write the JSON file if one is named."""
    from tabulate import tabulate

    if arguments.output:
        require_file(arguments.output, "--output")
    rows = _rows(arguments)
    if arguments.output:
        write_json(arguments.output, {"arguments": vars(arguments), "rows": rows}, indent=2)
    print(tabulate(rows, "keys", tablefmt="github", floatfmt=".3g"))


def _rows(arguments: argparse.Namespace) -> "list[Row]":
    from lab.vocabulary_measures.absent_names import measure_absent_names
    from lab.vocabulary_measures.auto_names import measure_auto_names
    from lab.vocabulary_measures.timing import time_auto, time_vocabularies
    from lab.vocabulary_measures.toyworld_scenes import known_scenes

    if arguments.measure in ("time", "auto-time"):
        timed = time_vocabularies if arguments.measure == "time" else time_auto
        return timed(_built(arguments.config, arguments.seed), arguments.size * 3 // 4, arguments.size)
    if arguments.measure == "void":
        return _void_discounts(arguments)
    segmenter = _built(None)
    scenes = known_scenes(segmenter, arguments.scenes, arguments.size, arguments.seed)
    if arguments.measure == "absent":
        return measure_absent_names(segmenter, scenes, arguments.names, WEIGHTS)
    return measure_auto_names(segmenter, scenes, IMAGE_WEIGHTS, THRESHOLDS)


def _void_discounts(arguments: argparse.Namespace) -> "list[Row]":
    from frozenseg import Segmenter
    from lab.vocabulary_measures.absent_names import mean_rows, measure_void_discount
    from lab.vocabulary_measures.toyworld_scenes import known_scenes

    runs = []
    for weights in arguments.weights:
        segmenter = Segmenter.from_pretrained(weights)
        scenes = known_scenes(segmenter, arguments.scenes, arguments.size, arguments.seed)
        runs.append(measure_void_discount(segmenter, scenes, arguments.names, DISCOUNTS))
    return mean_rows(runs, ("names", "void discount"))


def _built(config: str | None, seed: int = 0) -> "Segmenter":
    import torch

    from frozenseg import Segmenter

    if config is None:
        return Segmenter.from_pretrained("toyworld")
    torch.manual_seed(seed)  # of the decoders; the number of queries with a class depends on it
    return Segmenter.from_config(config, options=NO_WEIGHTS)


if __name__ == "__main__":
    raise SystemExit(main())
