"""Draw panoptic predictions beside the ground truth, for the first images of every benchmark of a config.

Examples:
    frozenseg draw --config toyworld/frozenseg_tiny --weights toyworld --output output/drawings

writes output/drawings/BENCHMARK.png with one row per image: image, ground truth, prediction.
"""

import argparse
from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frozenseg.cli.command_line import whole_number_flag
from frozenseg.errors import ConfigError
from frozenseg.output_paths import require_folder

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from frozenseg.modeling.meta_arch.base import MaskClassifier
    from frozenseg.structures.palette import Colour


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the config, the output folder, the number of images and config overrides."""
    parser.add_argument(
        "--config-file", "--config", type=Path, required=True, help="YAML config with the model and DATASETS.TEST"
    )
    parser.add_argument("--weights", metavar="FILE", help="trained weights: a file or a name; sets MODEL.WEIGHTS")
    parser.add_argument("--output", type=Path, required=True, help="folder for the drawings")
    parser.add_argument(
        "--count",
        type=whole_number_flag(1, 1_000, "images"),
        default=6,
        help="images of each benchmark (default: 6)",
    )
    parser.add_argument(
        "options",
        nargs="*",
        metavar="KEY VALUE",
        help="config overrides; MODEL.WEIGHTS FILE may replace --weights",
    )


def run(arguments: argparse.Namespace) -> None:
    """Draw every benchmark and print the paths of the drawings.

    Raises:
        FrozenSegError: the weights or the data are missing, or the folder cannot be written.
    """
    for path in _draw_predictions(arguments):
        print(f"Drawing: {path}")


def _draw_predictions(arguments: argparse.Namespace) -> list[Path]:
    """Draw every benchmark of the config; returns the paths of the drawings.

    Raises:
        ConfigError: MODEL.WEIGHTS is not set.
    """
    from frozenseg.config import load_config
    from frozenseg.data.checks.before_run import check_samples
    from frozenseg.data.loader import EvalDataset
    from frozenseg.data.run_vocabulary import resolve_for_run
    from frozenseg.data.training_classes import training_classes
    from frozenseg.device import pick_device
    from frozenseg.engine.evaluation.runner import requested_outputs
    from frozenseg.log import setup_logging
    from frozenseg.modeling.acceleration import on_device
    from frozenseg.modeling.build import build_model
    from frozenseg.modeling.checkpoint_file import read_checkpoint, trained_vocabulary
    from frozenseg.modeling.load_weights import load_checkpoint
    from frozenseg.modeling.weights_layout import adopt_layout

    setup_logging()
    weights = ["MODEL.WEIGHTS", arguments.weights] if arguments.weights else []
    cfg = load_config(arguments.config_file, [*arguments.options, *weights])
    if not cfg.MODEL.WEIGHTS:
        raise ConfigError("MODEL.WEIGHTS is empty: give the trained weights as --weights FILE.")
    require_folder(arguments.output, "--output")
    datasets = [resolve_for_run(cfg, name) for name in cfg.DATASETS.TEST]
    opened = [EvalDataset.open(cfg, dataset, requested_outputs(cfg)) for dataset in datasets]
    check_samples((dataset.opened for dataset in opened), cfg.DATASETS.SKIP_BAD)
    checkpoint = read_checkpoint(cfg.MODEL.WEIGHTS)
    training = training_classes(cfg, trained_vocabulary(checkpoint), checkpoint.get("config", ""), cfg.MODEL.WEIGHTS)
    cfg = adopt_layout(cfg, checkpoint["model"], cfg.MODEL.WEIGHTS)
    model = build_model(cfg, training.vocabulary).eval()
    load_checkpoint(model, checkpoint, cfg.MODEL.WEIGHTS, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
    on_device(model, cfg, pick_device(cfg.MODEL.DEVICE))
    paths = []
    for dataset, evaluated in zip(datasets, opened, strict=True):
        model.set_vocabulary(dataset.vocabulary)
        paths.append(arguments.output / f"{dataset.metadata.name}.png")
        batches = islice(evaluated.batches(), arguments.count)
        _draw_benchmark(model, batches, dataset.metadata.colors).save(paths[-1])
    return paths


def _draw_benchmark(
    model: "MaskClassifier", batches: Iterable[list[dict[str, Any]]], colours: Sequence["Colour"]
) -> "Image.Image":
    """Return a sheet with a row for each batch of one image: image, ground truth, prediction.

    Args:
        model: a trained model.
        batches: of one image each.
        colours: of the classes.
    """
    import torch

    from frozenseg.data.images import read_image
    from frozenseg.visualization.image_grid import GridRow, image_grid
    from frozenseg.visualization.segmentation import draw_panoptic, resized_for_drawing

    rows = []
    for [element] in batches:
        with torch.no_grad():
            [output] = model([element])
        image = read_image(element["file_name"], (element["height"], element["width"]))
        drawings = [
            draw_panoptic(image, panoptic, model.vocabulary, colours)
            for panoptic in (_ground_truth(element), output["panoptic_seg"])
        ]
        rows.append(GridRow(Path(element["file_name"]).name, [resized_for_drawing(image), *drawings]))
    return image_grid(rows, ["image", "ground truth", "prediction"])


def _ground_truth(element: dict[str, Any]) -> "tuple[Tensor, list[dict[str, Any]]]":
    """Return the ground truth of a record in the format of ``panoptic_seg``: segment ids (H, W) and segments."""
    import torch

    from frozenseg.structures.label_files import read_segment_ids

    return torch.from_numpy(read_segment_ids(element["pan_seg_file_name"])), element["segments_info"]
