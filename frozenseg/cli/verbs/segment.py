r"""Segment images by class names: masks as drawings and as data.

Examples:
  without an image: scenes of ToyWorld, by the model in the package
    frozenseg segment

  an image, by the classes that you name; --stuff are those that cannot be counted:
    frozenseg segment photo.jpg --words "cat,kitten; dog; grass,lawn" --stuff grass --weights NAME

  without class names: those of large benchmarks that the image has evidence of
    frozenseg segment photo.jpg --words auto --weights NAME

  a folder with its subfolders, as COCO files and drawings:
    frozenseg segment photos --words-file classes.txt --format coco-panoptic overlay --output masks --weights NAME

  a video, every tenth frame from 0:30 to 1:00:
    frozenseg segment clip.mp4 --words "car; road" --stuff road --frame-step 10 --start 0:30 --end 1:00 --weights NAME

  an image from a program, and the report as JSON:
    curl https://host/photo.jpg | frozenseg segment - --words "cat; dog" --json --weights NAME

  with onnxruntime in place of PyTorch, from the files of `frozenseg export`:
    frozenseg segment photo.jpg --words "cat; dog" --runtime onnx --weights exported

`frozenseg models` lists the names of weights. After an interruption, the same command does the remaining images.
Formats: coco-panoptic, coco-instances, png, yolo-seg, labelme, cvat-xml, npz, jsonl, overlay, html, review.
"""

import argparse
from typing import TYPE_CHECKING, Any

from frozenseg.cli.command_line import whole_number_flag
from frozenseg.cli.image_flags import add_class_names, add_inputs, add_model, add_output, share

if TYPE_CHECKING:
    from frozenseg.cli.exported_model import ExportedModel, LateExportedModel

SEGMENT_FOLDER = "output/segment"
DEFAULT_FORMATS = ("overlay", "png")
INTERRUPTED_HINT = "interrupted; the same command does the remaining images"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags: inputs, class names, model, outputs."""
    add_inputs(parser, " (default, with the model in the package: scenes of ToyWorld)")
    add_class_names(parser)
    add_model(parser)
    parser.add_argument(
        "--runtime",
        choices=("torch", "onnx"),
        default="torch",
        help="onnx: --weights is a folder that `frozenseg export` has written (default: torch)",
    )
    add_output(parser, SEGMENT_FOLDER)
    parser.add_argument(
        "--format",
        nargs="+",
        default=list(DEFAULT_FORMATS),
        metavar="NAME",
        help=f"output formats, listed below (default: {' '.join(DEFAULT_FORMATS)})",
    )
    parser.add_argument(
        "--polygons", action="store_true", help="outlines instead of run lengths in COCO and CVAT files"
    )
    parser.add_argument("--opacity", type=share, default=0.6, help="of the colours in drawings, 0-1 (default: 0.6)")
    parser.add_argument(
        "--max-size",
        type=whole_number_flag(0, 10**6, "pixels"),
        default=0,
        metavar="PIXELS",
        help="longest side of drawings (default: 0, that of the image)",
    )


def run(arguments: argparse.Namespace) -> None:
    """Segment the images. Class names, formats, inputs and the output folder are checked before the model is built."""
    from frozenseg.cli import image_job, run_report
    from frozenseg.cli.chosen_classes import chosen_classes, class_settings
    from frozenseg.cli.model_choice import LateModel, ModelChoice
    from frozenseg.inference.formats.registry import build_formats, check_formats
    from frozenseg.inference.image_run import ImageRun
    from frozenseg.inference.run_outputs import RunOutputs
    from frozenseg.log import setup_logging

    setup_logging()
    exported = _exported_model(arguments)
    model = ModelChoice.of_arguments(arguments) if exported is None else exported
    if exported is not None and arguments.words is None and arguments.words_file is None:
        classes = exported.stored_classes()
    else:
        classes = chosen_classes(arguments, model.usual_classes, model.auto_names)
    formats = check_formats(arguments.format)
    images = image_job.images_of(arguments, model, arguments.output)
    settings = {**class_settings(classes), **_settings(arguments), "format": formats, **model.identity()}
    folder = image_job.output_folder(arguments.output, SEGMENT_FOLDER, settings, arguments.overwrite)
    outputs = RunOutputs(build_formats(formats, folder.folder, classes, _options(arguments)), arguments.min_score)
    numbers = int(arguments.batch), int(arguments.workers)
    if isinstance(model, ModelChoice):
        late = LateModel(model, classes, outputs.kinds)
        job = ImageRun(folder, late, outputs.write, *numbers, arguments.skip_bad, check=late.check_memory)
    else:
        job = ImageRun(folder, _late_exported(model, classes), outputs.write, *numbers, arguments.skip_bad)
    report = image_job.run_with_progress(job, images)
    results = image_job.finish_run(job, report, outputs, classes)
    text = run_report.report_text(report, results)
    run_report.print_report(text, run_report.report_json(report, results), arguments.json)


def _exported_model(arguments: argparse.Namespace) -> "ExportedModel | None":
    if arguments.runtime == "torch":
        return None
    from frozenseg.cli.exported_model import ExportedModel

    return ExportedModel.of_arguments(arguments)


def _late_exported(model: "ExportedModel", classes: Any) -> "LateExportedModel":
    from frozenseg.cli.exported_model import LateExportedModel

    return LateExportedModel(model, classes)


def _settings(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the settings on which the files depend, but for classes, formats and model."""
    return {
        "min-score": arguments.min_score,
        "drawings": {"opacity": arguments.opacity, "max-size": arguments.max_size, "polygons": arguments.polygons},
    }


def _options(arguments: argparse.Namespace) -> Any:
    from frozenseg.inference.formats.output_format import FormatOptions

    return FormatOptions(polygons=arguments.polygons, opacity=arguments.opacity, max_size=int(arguments.max_size))
