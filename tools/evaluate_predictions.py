r"""Score prediction files that any program wrote against ground truth files, exactly as the official tools do.

Examples:
  panoptic quality, files in COCO panoptic format (as panopticapi):
    python tools/evaluate_predictions.py --task panoptic \
        --gt-json panoptic_val2017.json --gt-dir panoptic_val2017 --pred-json panoptic.json --pred-dir panoptic

  average precision of masks, a COCO result file (as pycocotools):
    python tools/evaluate_predictions.py --task instance --gt-json instances_val2017.json --pred-json instances.json

  mIoU of label pictures that go by the same names, with the numbers in a file, too:
    python tools/evaluate_predictions.py --task semantic --gt-dir annotations/validation --pred-dir semantic \
        --num-classes 150 --ignore 255 --output results.json

  ADE20K's own annotations and submissions count from 1, and 0 is no class:
    python tools/evaluate_predictions.py --task semantic --gt-dir annotations/validation --pred-dir semantic \
        --num-classes 150 --first-label 1 --ignore 0

Every image of the ground truth needs a prediction (for instances: none means that nothing was found), and there may be
no others. Panoptic: tp, fp, fn and the sum of IoU of every category id stand in the file, too. Semantic: labelled
pixels that are predicted as the value of --ignore count as wrong, and their number is told; other values that are no
class are refused. The exit code is 0, or 2 for files that cannot be scored.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.errors import DataError, FrozenSegError

if TYPE_CHECKING:
    from frozenseg.evaluation.prediction_file_metrics.scores import FileScores

NEEDED = {
    "panoptic": ("gt_json", "gt_dir", "pred_json", "pred_dir"),
    "instance": ("gt_json", "pred_json"),
    "semantic": ("gt_dir", "pred_dir", "num_classes"),
}
OPTIONAL = {"panoptic": ("workers",), "instance": (), "semantic": ("ignore", "first_label", "workers")}
IGNORE = 255


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("--task", required=True, choices=list(NEEDED), help="what the files hold")
    parser.add_argument("--gt-json", type=Path, metavar="FILE", help="ground truth (panoptic, instance)")
    parser.add_argument("--gt-dir", type=Path, metavar="DIR", help="its pictures (panoptic, semantic)")
    parser.add_argument("--pred-json", type=Path, metavar="FILE", help="predictions (panoptic, instance)")
    parser.add_argument("--pred-dir", type=Path, metavar="DIR", help="their pictures (panoptic, semantic)")
    parser.add_argument("--num-classes", type=int, metavar="N", help="classes of the label pictures (semantic)")
    parser.add_argument(
        "--ignore", type=int, metavar="I", help=f"value of unlabelled pixels (semantic; default: {IGNORE})"
    )
    parser.add_argument("--first-label", type=int, metavar="F", help="value of the first class (semantic; default: 0)")
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="processes (panoptic, semantic; default: one for every 200 images, at most one a processor)",
    )
    parser.add_argument("--output", type=Path, metavar="FILE", help="write results.json here, too")
    arguments = parser.parse_args(argv)
    check_arguments(parser, arguments)
    return arguments


def check_arguments(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Refuse what does not fit the task."""
    task = arguments.task
    given = {name for name, value in vars(arguments).items() if value is not None} - {"task", "output"}
    if missing := [name for name in NEEDED[task] if name not in given]:
        parser.error(f"--task {task} needs {', '.join(map(flag, missing))}")
    if strange := sorted(given - {*NEEDED[task], *OPTIONAL[task]}):
        parser.error(f"--task {task} does not take {', '.join(map(flag, strange))}")
    if any(value is not None and value < 1 for value in (arguments.num_classes, arguments.workers)):
        parser.error("--num-classes and --workers must be 1 at least")
    if (
        task == "semantic"
        and arguments.ignore is None
        and 0 <= IGNORE - (arguments.first_label or 0) < arguments.num_classes
    ):
        parser.error(f"{IGNORE} is a class here: say by --ignore which value is unlabelled, -1 for none")
    if arguments.output and arguments.output.is_dir():
        parser.error(f"--output {arguments.output} is a folder: name a file in it")


def flag(name: str) -> str:
    """Return an argument as it is typed."""
    return "--" + name.replace("_", "-")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    try:
        report(score(arguments), arguments)
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def score(arguments: argparse.Namespace) -> "FileScores":
    """Score the files."""
    # imported here: other processes import this file, and need neither
    from frozenseg.evaluation.label_counts import LabelValues
    from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
    from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
    from frozenseg.evaluation.prediction_file_metrics.semantic import score_semantic_files

    workers = arguments.workers or 0
    if arguments.task == "instance":
        return score_instance_files(arguments.gt_json, arguments.pred_json)
    if arguments.task == "panoptic":
        truth, predictions = (arguments.gt_json, arguments.gt_dir), (arguments.pred_json, arguments.pred_dir)
        return score_panoptic_files(*truth, *predictions, workers=workers)
    ignore = IGNORE if arguments.ignore is None else arguments.ignore
    values = LabelValues(arguments.num_classes, ignore, arguments.first_label or 0)
    return score_semantic_files(arguments.gt_dir, arguments.pred_dir, values, workers)


def report(scores: "FileScores", arguments: argparse.Namespace) -> None:
    """Print the table and write the file."""
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
    sys.exit(main())
