r"""Score prediction files of any program against ground truth files, with the results of the official tools.

Examples:
  panoptic quality of files in COCO panoptic format (as panopticapi):
    python tools/evaluate_predictions.py --task panoptic \
        --gt-json panoptic_val2017.json --gt-dir panoptic_val2017 --pred-json panoptic.json --pred-dir panoptic

  average precision of masks in a COCO result file (as pycocotools):
    python tools/evaluate_predictions.py --task instance --gt-json instances_val2017.json --pred-json instances.json

  mIoU of label images with the same file names, results also written to a file:
    python tools/evaluate_predictions.py --task semantic --gt-dir annotations/validation --pred-dir semantic \
        --num-classes 150 --ignore 255 --output results.json

  ADE20K's original label values, which start at 1, with 0 for unlabelled pixels:
    python tools/evaluate_predictions.py --task semantic --gt-dir annotations/validation --pred-dir semantic \
        --num-classes 150 --first-label 1 --ignore 0

Every image of the ground truth needs a prediction (instance: an image without results has no predicted objects), and
predictions of other images are an error. Panoptic: the file also has tp, fp, fn and the sum of IoU of every category
id. Semantic: labelled pixels with the value of --ignore as prediction count as wrong, and their number is printed;
other values outside the classes are an error. Instance: objects of the ground truth without a mask are left out, and
their number is printed; --strict refuses them. The exit code is 0, or 2 for files that cannot be scored.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.cli.command_line import docstring_parser, run_script
from frozenseg.errors import DataError
from frozenseg.output_paths import require_file

if TYPE_CHECKING:
    from frozenseg.evaluation.prediction_file_metrics.scores import FileScores

NEEDED = {
    "panoptic": ("gt_json", "gt_dir", "pred_json", "pred_dir"),
    "instance": ("gt_json", "pred_json"),
    "semantic": ("gt_dir", "pred_dir", "num_classes"),
}
OPTIONAL = {"panoptic": ("workers",), "instance": ("strict",), "semantic": ("ignore", "first_label", "workers")}
IGNORE = 255
MAX_CLASSES = 10_000  # the table of pairs of classes has 0.8 GB
MAX_WORKERS = 1024
MAX_LABEL = 2**32 - 1  # value of a label image


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = docstring_parser(__doc__)
    parser.add_argument("--task", required=True, choices=list(NEEDED), help="task of the files")
    parser.add_argument(
        "--gt-json", type=Path, metavar="FILE", help="annotations of the ground truth (panoptic, instance)"
    )
    parser.add_argument("--gt-dir", type=Path, metavar="DIR", help="folder of its label images (panoptic, semantic)")
    parser.add_argument("--pred-json", type=Path, metavar="FILE", help="predictions (panoptic, instance)")
    parser.add_argument(
        "--pred-dir", type=Path, metavar="DIR", help="folder of their label images (panoptic, semantic)"
    )
    parser.add_argument("--num-classes", type=int, metavar="N", help="number of classes (semantic)")
    parser.add_argument(
        "--ignore", type=int, metavar="I", help=f"value of unlabelled pixels (semantic; default: {IGNORE})"
    )
    parser.add_argument("--first-label", type=int, metavar="F", help="value of the first class (semantic; default: 0)")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes (panoptic, semantic; default: one for every 200 images, at most one per core)",
    )
    parser.add_argument(
        "--strict",
        action="store_true",
        default=None,
        help="refuse objects of the ground truth without a mask instead of leaving them out (instance)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="also write the results to this JSON file")
    arguments = parser.parse_args(argv)
    check_arguments(parser, arguments)
    return arguments


def check_arguments(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with an error if arguments are missing or do not fit the task."""
    task = arguments.task
    present = {name for name, value in vars(arguments).items() if value is not None} - {"task", "output"}
    if missing := [name for name in NEEDED[task] if name not in present]:
        parser.error(f"--task {task} needs {', '.join(map(flag, missing))}")
    if unexpected := sorted(present - {*NEEDED[task], *OPTIONAL[task]}):
        parser.error(f"--task {task} does not take {', '.join(map(flag, unexpected))}")
    check_numbers(parser, arguments)
    if (
        task == "semantic"
        and arguments.ignore is None
        and 0 <= IGNORE - (arguments.first_label or 0) < arguments.num_classes
    ):
        parser.error(f"{IGNORE} is a class here: set the value of unlabelled pixels with --ignore (-1: none)")
    if arguments.output and arguments.output.is_dir():
        parser.error(f"--output {arguments.output} is a folder: name a file in it")


def check_numbers(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Exit with an error if a number is out of range."""
    if any(value is not None and value < 1 for value in (arguments.num_classes, arguments.workers)):
        parser.error("--num-classes and --workers must be at least 1")
    largest = {"num_classes": MAX_CLASSES, "workers": MAX_WORKERS, "ignore": MAX_LABEL, "first_label": MAX_LABEL}
    for name, limit in largest.items():
        value = getattr(arguments, name)
        if value is not None and not -1 <= value <= limit:
            parser.error(f"{flag(name)} is {value}, expected at most {limit} (and at least -1)")


def flag(name: str) -> str:
    """Return the flag of an argument, such as ``--gt-json``."""
    return "--" + name.replace("_", "-")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the script and return the exit code."""
    arguments = parse_arguments(argv)
    return run_script(lambda: check_score_report(arguments))


def check_score_report(arguments: argparse.Namespace) -> None:
    """Check that the results file can be written, score the files, and report the scores."""
    if arguments.output:
        require_file(arguments.output, "--output")
    report(score(arguments), arguments)


def score(arguments: argparse.Namespace) -> "FileScores":
    """Return the scores of the files."""
    # imported here because worker processes import this file and do not need them
    from frozenseg.evaluation.label_counts import LabelValues
    from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
    from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
    from frozenseg.evaluation.prediction_file_metrics.semantic import score_semantic_files

    workers = arguments.workers or 0
    if arguments.task == "instance":
        return score_instance_files(arguments.gt_json, arguments.pred_json, bool(arguments.strict))
    if arguments.task == "panoptic":
        ground_truth, predictions = (arguments.gt_json, arguments.gt_dir), (arguments.pred_json, arguments.pred_dir)
        return score_panoptic_files(*ground_truth, *predictions, workers=workers)
    ignore = IGNORE if arguments.ignore is None else arguments.ignore
    values = LabelValues(arguments.num_classes, ignore, arguments.first_label or 0)
    return score_semantic_files(arguments.gt_dir, arguments.pred_dir, values, workers)


def report(scores: "FileScores", arguments: argparse.Namespace) -> None:
    """Print the table of results and write the results file."""
    from frozenseg.evaluation.report import results_table

    name = (arguments.pred_json or arguments.pred_dir).name
    print(results_table({f"{name}, {scores.images} images": scores.results}))
    for note in scores.notes:
        print(note)
    if arguments.output:
        try:
            scores.write(arguments.output)
        except OSError as error:
            raise DataError(f"--output {arguments.output} cannot be written ({error}): name another file.") from error
        print(f"Results: {arguments.output}")


if __name__ == "__main__":
    raise SystemExit(main())
