r"""Draw a model's panoptic predictions beside the ground truth, for the first pictures of every benchmark.

Example:
    python tools/draw_predictions.py --config-file configs/toyworld/frozenseg_tiny.yaml --output output/pictures \
        MODEL.WEIGHTS output/toyworld/frozenseg_tiny/model_final.pth

writes ``output/pictures/BENCHMARK.png``: image, ground truth and prediction, one row a picture.
"""

import argparse
import sys
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from frozenseg.errors import ConfigError, FrozenSegError


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    description, _, epilog = (__doc__ or "").partition("\n")
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=description, epilog=epilog, formatter_class=formatter)
    parser.add_argument("--config-file", type=Path, required=True, help="the model and its benchmarks")
    parser.add_argument("--output", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--count", type=int, default=6, help="pictures of each benchmark (default: 6)")
    parser.add_argument(
        "options", nargs="*", metavar="KEY VALUE", help="config overrides; MODEL.WEIGHTS FILE (or toyworld) is needed"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool; returns the exit code."""
    arguments = parse_arguments(argv)
    try:
        for path in draw_predictions(arguments):
            print(f"Pictures: {path}")
    except FrozenSegError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def draw_predictions(arguments: argparse.Namespace) -> list[Path]:
    """Draw every benchmark of the config; returns the pictures' files."""
    from frozenseg.config import load_config
    from frozenseg.data.checks.before_run import check_samples
    from frozenseg.data.loader import EvalDataset
    from frozenseg.data.run_vocabulary import build_vocabulary, resolve_for_run
    from frozenseg.device import pick_device
    from frozenseg.engine.evaluation.runner import requested_outputs
    from frozenseg.log import setup_logging
    from frozenseg.modeling.build import build_model
    from frozenseg.modeling.load_weights import load_trained

    setup_logging()
    cfg = load_config(arguments.config_file, arguments.options)
    if not cfg.MODEL.WEIGHTS:
        raise ConfigError("Nothing to draw with: give the trained model as MODEL.WEIGHTS FILE.")
    datasets = [resolve_for_run(cfg, name) for name in cfg.DATASETS.TEST]
    opened = [EvalDataset.open(cfg, dataset, requested_outputs(cfg)) for dataset in datasets]
    check_samples((dataset.opened for dataset in opened), cfg.DATASETS.SKIP_BAD)
    model = build_model(cfg, build_vocabulary(cfg, cfg.DATASETS.TRAIN[0])).eval()
    load_trained(model, cfg.MODEL.WEIGHTS, allow_partial=cfg.MODEL.ALLOW_PARTIAL_WEIGHTS)
    model.to(pick_device(cfg.MODEL.DEVICE))
    arguments.output.mkdir(parents=True, exist_ok=True)
    paths = []
    for dataset, evaluated in zip(datasets, opened, strict=True):
        model.set_vocabulary(dataset.vocabulary)
        paths.append(arguments.output / f"{dataset.metadata.name}.png")
        draw_benchmark(model, islice(evaluated.batches(), arguments.count)).save(paths[-1])
    return paths


def draw_benchmark(model: Any, batches: Any) -> Any:
    """Return a sheet with image, ground truth and prediction of each batch's one picture."""
    import torch

    from frozenseg.data.images import read_image
    from frozenseg.visualization.image_grid import GridRow, image_grid
    from frozenseg.visualization.segmentation import draw_panoptic, enlarge

    rows = []
    for [element] in batches:
        with torch.no_grad():
            [output] = model([element])
        image = read_image(element["file_name"])
        drawings = [
            draw_panoptic(image, panoptic, model.vocabulary)
            for panoptic in (ground_truth(element), output["panoptic_seg"])
        ]
        rows.append(GridRow(Path(element["file_name"]).name, [enlarge(image), *drawings]))
    return image_grid(rows, ["image", "ground truth", "prediction"])


def ground_truth(element: dict[str, Any]) -> tuple[Any, list[dict[str, Any]]]:
    """Return a record's ground truth in the form of ``panoptic_seg``."""
    import numpy as np
    import torch
    from PIL import Image

    from frozenseg.structures.panoptic import rgb_to_id

    ids = rgb_to_id(np.asarray(Image.open(element["pan_seg_file_name"])))
    return torch.from_numpy(ids), element["segments_info"]


if __name__ == "__main__":
    sys.exit(main())
