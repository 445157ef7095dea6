r"""Export a model to files that run without this package.

Examples:
  the model in the package, for images of any size, as ONNX:
    frozenseg export --output exported

  with a comparison of every stage on an image, and a stored vocabulary:
    frozenseg export --weights NAME --words-file classes.txt --check photo.jpg --output exported

  one input size, half precision of the frozen encoders:
    frozenseg export --weights NAME --size 800 1344 --precision fp16 --output exported

  a program of torch.export:
    frozenseg export --weights NAME --format torch-export --output exported

The folder has the two graphs, the tokenizer, manifest.json, and runtime.py, which needs NumPy, onnxruntime, tokenizers
and Pillow alone. `frozenseg segment --runtime onnx --weights DIR` segments with it. A failed check has the exit code 1.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from frozenseg.cli.command_line import whole_number_flag
from frozenseg.cli.image_flags import add_class_names

if TYPE_CHECKING:
    from frozenseg.cli.model_choice import ModelChoice
    from frozenseg.vocabulary import Vocabulary

FAILED_CHECK = 1  # exit code
LARGEST_SIDE = 8192  # pixels


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags: model, format, size, precision, vocabulary, check, output."""
    parser.add_argument(
        "--weights", metavar="NAME", help="name of a model (`frozenseg models`) or weight file (default: toyworld)"
    )
    parser.add_argument(
        "--config", metavar="NAME", help="config of the model (default: the one that belongs to the weights)"
    )
    parser.add_argument(
        "--format", choices=("onnx", "torch-export", "aoti"), default="onnx", help="of the graphs (default: onnx)"
    )
    size = parser.add_mutually_exclusive_group()
    side = whole_number_flag(32, LARGEST_SIDE, "pixels")
    size.add_argument("--size", nargs=2, type=side, metavar=("H", "W"), help="one input size, multiples of 32")
    size.add_argument("--dynamic", action="store_true", help="any batch, height and width (default)")
    parser.add_argument(
        "--precision",
        choices=("fp32", "fp16", "bf16"),
        default="fp32",
        help="of the frozen image encoders (default: fp32)",
    )
    parser.add_argument(
        "--int8", action="store_true", help="store the weights of the frozen image encoders as 8-bit integers"
    )
    add_class_names(parser)
    parser.add_argument(
        "--check", nargs="+", default=[], metavar="IMAGE", help="images on which model and files are compared"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="folder of the files")
    parser.add_argument("--overwrite", action="store_true", help="replace an earlier export in the folder")
    parser.add_argument(
        "--set", nargs=2, action="append", default=[], metavar=("KEY", "VALUE"), help="config key to change"
    )


def run(arguments: argparse.Namespace) -> int:
    """Export the model, and print the comparison; returns the exit code."""
    from frozenseg.cli.model_choice import ModelChoice
    from frozenseg.export.exporter import export_segmenter, require_export_folder
    from frozenseg.export.options import ExportOptions
    from frozenseg.inference.image_inputs import load_image
    from frozenseg.log import setup_logging

    setup_logging()
    arguments.device, arguments.sam_masks = "cpu", False
    precision, arguments.precision = arguments.precision, "full"  # that of the model, which is built in fp32
    choice = ModelChoice.of_arguments(arguments)
    size = None if arguments.size is None else (int(arguments.size[0]), int(arguments.size[1]))
    options = ExportOptions(arguments.format, size, precision, arguments.int8, _vocabulary(arguments, choice))
    options.require_packages()
    require_export_folder(arguments.output, arguments.overwrite)
    images = [load_image(path) for path in arguments.check]
    report = export_segmenter(choice.build(), arguments.output, options, images, arguments.overwrite)
    if images:
        print(report.table())
    print(f"Exported: {arguments.output}")
    return 0 if report.passed else FAILED_CHECK


def _vocabulary(arguments: argparse.Namespace, choice: "ModelChoice") -> "Vocabulary | None":
    """Return the vocabulary of the command line; None without class names."""
    from frozenseg.cli.chosen_classes import chosen_classes

    if arguments.words is None and arguments.words_file is None:
        return None
    return chosen_classes(arguments, "", choice.auto_names).vocabulary
