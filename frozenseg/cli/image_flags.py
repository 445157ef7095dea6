"""Flags of the verbs that segment images: inputs, class names, model, output folder."""

import argparse
from pathlib import Path

from frozenseg.cli.command_line import whole_number_flag

MAX_BATCH, MAX_WORKERS, MAX_STEP = 1024, 256, 10**6


def add_inputs(parser: argparse.ArgumentParser, default: str) -> None:
    """Add the images and the flags about reading them.

    Args:
        parser: of the verb.
        default: description of the images without an input.
    """
    parser.add_argument(
        "inputs",
        nargs="*",
        metavar="IMAGE",
        help="image, folder (with its subfolders), pattern such as 'in/*.jpg', .txt file with one path a line, video, "
        f"http(s) address, or - for standard input{default}",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out images that cannot be decoded or are too large"
    )
    parser.add_argument(
        "--allow-private-urls",
        action="store_true",
        help="download from addresses of this machine and its network, too",
    )
    parser.add_argument(
        "--batch", type=whole_number_flag(1, MAX_BATCH, "images"), default=1, help="images at a time (default: 1)"
    )
    parser.add_argument(
        "--workers",
        type=whole_number_flag(0, MAX_WORKERS, "threads"),
        default=2,
        help="threads that decode the next images, and as many that write files (default: 2)",
    )
    parser.add_argument(
        "--frame-step", type=whole_number_flag(1, MAX_STEP, "frames"), default=1, help="of videos: every Nth frame"
    )
    parser.add_argument("--start", type=seconds, default=0.0, metavar="TIME", help="of videos: 90, 1:30 or 0:01:30.5")
    parser.add_argument("--end", type=seconds, default=None, metavar="TIME", help="of videos: last second that is used")


def add_class_names(parser: argparse.ArgumentParser) -> None:
    """Add the flags about class names."""
    names = parser.add_mutually_exclusive_group()
    names.add_argument(
        "--words",
        "--vocabulary",
        metavar="NAMES",
        help='class names: classes separated by ";", synonyms by ","; '
        '"stuff: grass" marks a class that is not countable, "background" catches the rest; or the name of a benchmark '
        "(ade20k, coco, lvis, …); or auto: names of all benchmarks that the image has evidence of",
    )
    names.add_argument(
        "--words-file",
        "--vocabulary-file",
        type=Path,
        metavar="FILE",
        help="file of class names: one class a line (cat,kitten), or a table or JSON of another tool, with numbers, "
        "colours and stuff flags",
    )
    parser.add_argument(
        "--stuff", default="", metavar="NAMES", help='classes that cannot be counted, by their first name: "sky; grass"'
    )


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the flags about the model."""
    parser.add_argument(
        "--weights", metavar="NAME", help="name of a model (`frozenseg models`) or weight file (default: toyworld)"
    )
    parser.add_argument(
        "--config", metavar="NAME", help="config of the model (default: the one that belongs to the weights)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto (default: auto)")
    parser.add_argument(
        "--precision",
        choices=("full", "fast", "bfloat16"),
        default="full",
        help="fast: bfloat16 or int8 where the processor multiplies them natively (default: full)",
    )
    parser.add_argument("--sam-masks", action="store_true", help="let SAM proposals vote for unseen classes")
    parser.add_argument(
        "--set",
        nargs=2,
        action="append",
        default=[],
        metavar=("KEY", "VALUE"),
        help="config key to change, such as --set INPUT.MIN_SIZE_TEST 640; may be repeated",
    )


def add_output(parser: argparse.ArgumentParser, default: str, min_score: float = 0.0) -> None:
    """Add the output folder and the flags about what is written.

    Args:
        parser: of the verb.
        default: folder without ``--output``.
        min_score: score without ``--min-score``.
    """
    parser.add_argument(
        "--output", type=Path, metavar="DIR", help=f"output folder (default: {default}, or numbered if it is taken)"
    )
    parser.add_argument(
        "--overwrite", action="store_true", help="segment all images again; without it finished ones are kept"
    )
    parser.add_argument(
        "--min-score",
        type=share,
        default=min_score,
        metavar="S",
        help=f"leave out segments with a lower score, 0-1 (default: {min_score:g})",
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def share(text: str) -> float:
    """Return a number from 0 to 1.

    Raises:
        ArgumentTypeError: the text is no such number.
    """
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if not 0.0 <= number <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r}, expected a number from 0 to 1")
    return number


def seconds(text: str) -> float:
    """Return the seconds of a time such as ``90``, ``1:30`` or ``0:01:30.5``.

    Raises:
        ArgumentTypeError: the text is no time.
    """
    try:
        parts = [float(part) for part in text.split(":")]
        total: float = sum(part * 60.0**power for power, part in enumerate(reversed(parts)))
        if len(parts) > 3 or min(parts) < 0 or not total < float("inf"):
            raise ValueError(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r}, expected seconds such as 90, or a time such as 1:30") from error
    return total
