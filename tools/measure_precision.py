"""Measure how a lower precision changes the results of a model on images, stage by stage, against float32.

Features and mask logits are compared by the root mean square of the difference, divided by the standard deviation in
float32. Labels are those of the semantic and the panoptic output. No annotation is read: `frozenseg eval` with and
without a precision measures what it costs in PQ.

Examples:
  ToyWorld's model on ten of its scenes:
    python tools/measure_precision.py --precisions bfloat16 int8

  another model, on photographs:
    python tools/measure_precision.py photos/*.jpg --weights fcclip/convnext_large --words "cat; grass; sky"
"""

import argparse
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from frozenseg.cli.command_line import docstring_parser, run_script, whole_number_flag

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from frozenseg.inference.embedded_image import EmbeddedImage
    from frozenseg.inference.predictor import Segmenter
    from frozenseg.inference.result import Result
    from frozenseg.modeling.meta_arch.embedded_images import EmbeddedImages

TOYWORLD = "toyworld"
PRECISIONS = ("bfloat16", "float16", "int8")
SIDE = 128  # pixels, of the scenes that the model was trained on
RELATIVE, SHARE = "difference / deviation", "share that agrees"


def main(argv: Sequence[str] | None = None) -> int:
    """Parse the command line and measure.

    Args:
        argv: arguments; None for those of the process.
    """
    parser = docstring_parser(__doc__)
    parser.add_argument("images", nargs="*", help="image files (default: scenes of ToyWorld)")
    parser.add_argument("--weights", default=TOYWORLD, help="name or file of the weights (default: %(default)s)")
    parser.add_argument("--config", metavar="NAME", help="config (default: the one that belongs to the weights)")
    parser.add_argument("--words", default=TOYWORLD, help="class names, or a named vocabulary (default: %(default)s)")
    parser.add_argument(
        "--precisions",
        nargs="+",
        choices=PRECISIONS,
        default=["bfloat16"],
        help="of the frozen encoders, and in bfloat16 of the decoders (default: bfloat16)",
    )
    parser.add_argument(
        "--scenes", type=whole_number_flag(1, 1_000, "scenes"), default=10, help="scenes of ToyWorld (default: 10)"
    )
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N or auto (default: auto)")
    arguments = parser.parse_args(argv)
    return run_script(lambda: measure(arguments))


def measure(arguments: argparse.Namespace) -> None:
    """Print a table of all stages for each precision."""
    from tabulate import tabulate

    exact = build(arguments, "float32")
    lowered = {precision: build(arguments, precision) for precision in arguments.precisions}
    measured: dict[str, dict[tuple[str, str], list[float]]] = {precision: {} for precision in lowered}
    for image in images_of(arguments):
        embedded = exact.embed(image)
        result = exact.classify(embedded, arguments.words)
        for precision, lower in lowered.items():
            for stage, unit, value in compare(embedded, result, lower, image, arguments.words):
                measured[precision].setdefault((stage, unit), []).append(value)
    for precision, stages in measured.items():
        rows = [
            (stage, unit, sum(values) / len(values), min(values) if unit == SHARE else max(values))
            for (stage, unit), values in stages.items()
        ]
        count = len(next(iter(stages.values())))
        print(f"{precision} against float32, {count} images\n")
        print(tabulate(rows, headers=("stage", "measure", "mean", "worst image"), floatfmt=".4f"), end="\n\n")


def build(arguments: argparse.Namespace, precision: str) -> "Segmenter":
    """Build the model with frozen encoders, and in bfloat16 decoders, of a precision."""
    from frozenseg.inference.predictor import Segmenter

    key = "MODEL.PRECISION" if precision == "bfloat16" else "MODEL.FROZEN_DTYPE"
    config = arguments.config or (TOYWORLD + "/frozenseg_tiny" if arguments.weights == TOYWORLD else None)
    return Segmenter.from_config(config, arguments.weights, arguments.device, (key, precision))


def images_of(arguments: argparse.Namespace) -> Iterator["str | Image.Image"]:
    """Yield the files of the command line, or scenes of ToyWorld."""
    from frozenseg.toyworld.samples import sample_scene

    if arguments.images:
        yield from arguments.images
    else:
        yield from (sample_scene(number, SIDE) for number in range(1, arguments.scenes + 1))


def compare(
    expected: "EmbeddedImage", result: "Result", lower: "Segmenter", image: "str | Image.Image", names: str
) -> Iterator[tuple[str, str, float]]:
    """Yield the name of each stage, the measure and its value, in the order of the model.

    Raises:
        DataError: the image cannot be read, or the class names are wrong.
    """
    actual = lower.embed(image)
    yield from compare_embedded(expected.features, actual.features)
    yield from compare_results(result, lower.classify(actual, names))


def compare_embedded(expected: "EmbeddedImages", actual: "EmbeddedImages") -> Iterator[tuple[str, str, float]]:
    """Yield the stages that class names do not affect."""
    pairs: dict[str, tuple[Any, Any]] = {
        "CLIP's last feature map": (expected.dense, actual.dense),
        "SAM embedding": (expected.sam_embedding, actual.sam_embedding),
        "mask logits": (expected.masks, actual.masks),
    }
    for name, (one, other) in pairs.items():
        if one is not None:
            yield name, RELATIVE, relative_difference(one, other)
    yield "inside or outside of masks", SHARE, share_equal(expected.masks > 0, actual.masks > 0)


def compare_results(expected: "Result", actual: "Result") -> Iterator[tuple[str, str, float]]:
    """Yield the labels of the pixels."""
    yield "semantic labels", SHARE, share_equal(expected.require("semantic"), actual.require("semantic"))
    yield "panoptic labels", SHARE, share_equal(panoptic_labels(expected), panoptic_labels(actual))


def panoptic_labels(result: "Result") -> "Tensor":
    """Return the class of every pixel in the panoptic output (H, W), -1 for none."""
    ids, segments = result.require("panoptic")
    labels = ids.new_full(ids.shape, -1)
    for segment in segments:
        labels[ids == segment["id"]] = segment["label_id"]
    return labels


def relative_difference(expected: "Tensor", actual: "Tensor") -> float:
    """Return the root mean square of a difference over the standard deviation."""
    return float((actual - expected).square().mean().sqrt() / expected.std())


def share_equal(expected: "Tensor", actual: "Tensor") -> float:
    """Return the share of equal values."""
    return float((expected == actual).float().mean())


if __name__ == "__main__":
    raise SystemExit(main())
