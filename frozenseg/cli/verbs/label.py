r"""Label images by class names: a data set in COCO format that `frozenseg train` takes as it is.

Examples:
  a folder with its subfolders; classes.txt has one class a line (cat,kitten), or is the table of another tool:
    frozenseg label photos --words-file classes.txt --weights NAME --output labelled

  classes on the command line; only segments with a score of 0.7 and 100 pixels, the others are left unlabelled:
    frozenseg label photos --words "cat,kitten; dog; grass" --stuff grass --min-score 0.7 --min-area 100 --weights NAME

  without class names, those of large benchmarks that the images have evidence of:
    frozenseg label photos --words auto --weights NAME

  scenes of ToyWorld, by the model in the package:
    frozenseg label --output output/labelled

The output folder has images/, train/ and val/ with COCO panoptic and instance files, classes.tsv, and a page for review
with the least certain images first. The last lines printed are the commands for training and evaluation.
After an interruption, the same command does the remaining images.
"""

import argparse
from pathlib import Path
from typing import Any

from frozenseg.cli.command_line import whole_number_flag
from frozenseg.cli.image_flags import add_class_names, add_inputs, add_model, add_output, share

LABEL_FOLDER = "output/label"
FORMATS = ("coco-panoptic", "coco-instances")  # of each split; training reads the first
REVIEW = ("review",)  # of all images
MIN_SCORE, MIN_AREA, VAL_FRACTION = 0.5, 25, 0.2
INTERRUPTED_HINT = "interrupted; the same command does the remaining images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags: inputs, class names, model, data set."""
    add_inputs(parser, " (default, with the model in the package: scenes of ToyWorld)")
    add_class_names(parser)
    add_model(parser)
    add_output(parser, LABEL_FOLDER, MIN_SCORE)
    parser.add_argument(
        "--min-area",
        type=whole_number_flag(0, 10**9, "pixels"),
        default=MIN_AREA,
        metavar="PIXELS",
        help=f"leave out smaller segments (default: {MIN_AREA})",
    )
    parser.add_argument(
        "--val-fraction",
        type=share,
        default=VAL_FRACTION,
        metavar="F",
        help=f"share of the images for validation, chosen by the hashes of their names (default: {VAL_FRACTION})",
    )
    parser.add_argument("--copy", action="store_true", help="copy the images; without it they are linked")


def run(arguments: argparse.Namespace) -> None:
    """Label the images. Class names, inputs and the output folder are checked before the model is built."""
    from frozenseg.cli import image_job, label_report
    from frozenseg.cli.chosen_classes import chosen_classes, class_settings, used_classes
    from frozenseg.cli.model_choice import LateModel, ModelChoice
    from frozenseg.inference.data_split import split_images
    from frozenseg.inference.image_run import ImageRun
    from frozenseg.inference.labelled_data import CLASSES, write_class_table
    from frozenseg.log import setup_logging

    setup_logging()
    model = ModelChoice.of_arguments(arguments)
    classes = chosen_classes(arguments, model.usual_classes, model.auto_names)
    images = image_job.images_of(arguments, model, arguments.output)
    split_of = split_images([part.name for part in images.parts], arguments.val_fraction)
    settings = {**class_settings(classes), **_settings(arguments), **model.identity()}
    folder = image_job.output_folder(arguments.output, LABEL_FOLDER, settings, arguments.overwrite)
    data = _labelled_data(arguments, folder.folder, classes, split_of)
    late = LateModel(model, classes, data.kinds)
    numbers = int(arguments.batch), int(arguments.workers)
    job = ImageRun(folder, late, data.write, *numbers, arguments.skip_bad, data.split, late.check_memory)
    report = image_job.run_with_progress(job, images)
    used = used_classes(classes, job.records(report))
    data = _labelled_data(arguments, folder.folder, used, split_of)
    image_job.named_write_failure(lambda: write_class_table(folder.folder / CLASSES, used), folder.folder)
    results = image_job.finish_run(job, report, data, classes)
    label_report.print_label_report(report, results, model, arguments.json)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings on which the data set depends, but for classes and model."""
    return {
        "min-score": arguments.min_score,
        "min-area": arguments.min_area,
        "val-fraction": arguments.val_fraction,
        "copy": arguments.copy,
    }


def _labelled_data(arguments: argparse.Namespace, folder: Path, classes: Any, split_of: dict[str, str]) -> Any:
    from frozenseg.inference.data_split import DATA_SPLITS
    from frozenseg.inference.formats.registry import build_formats
    from frozenseg.inference.labelled_data import LabelledData
    from frozenseg.inference.run_outputs import RunOutputs

    limits = {"min_score": arguments.min_score, "min_area": int(arguments.min_area)}
    outputs = {split: RunOutputs(build_formats(FORMATS, folder / split, classes), **limits) for split in DATA_SPLITS}
    review = RunOutputs(build_formats(REVIEW, folder, classes), **limits)
    return LabelledData(folder, outputs, review, split_of, arguments.copy)
