"""Preview of a model in training: predictions on a few fixed validation images, drawn beside the ground truth."""

import functools
from typing import Any

import torch
from PIL import Image

from frozenseg.data.checks.audit import evenly_spaced
from frozenseg.data.images import read_image
from frozenseg.data.mapper import EvalMapper
from frozenseg.engine.evaluation.runner import Benchmark, benchmark_settings
from frozenseg.errors import DataError
from frozenseg.evaluation.comparison import compare_images
from frozenseg.evaluation.comparison_sheet import comparison_sheet
from frozenseg.evaluation.gallery import Gallery
from frozenseg.evaluation.ground_truth import read_ground_truths
from frozenseg.log import get_logger
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.visualization.image_grid import COLUMN_WIDTH

logger = get_logger(__name__)


class Preview:
    """Draws some images of a benchmark, evenly spread over it, with ground truth and prediction.

    Args:
        model: not wrapped for data parallelism; its vocabulary, inference settings and mode are restored afterwards.
        benchmark: source of the images, the vocabulary and the inference settings.
        count: number of images.
    """

    def __init__(self, model: SegmentationModel, benchmark: Benchmark, count: int = 4) -> None:
        self.model, self.benchmark, self.count = model, benchmark, count
        self._elements: list[dict[str, Any]] = []

    def __call__(self) -> Image.Image:
        """Return the drawing: one row for each image with image, ground truth, prediction."""
        gallery = Gallery(self.benchmark.evaluators, self.benchmark.metadata)
        elements, comparisons = self._read(), []
        names = self.benchmark.classes.names
        with self.model.using(benchmark_settings(self.model, self.benchmark)), torch.no_grad():
            for element in elements:
                shown = gallery.show(element, self.model([element])[0])
                if shown is not None:
                    comparisons.append(compare_images(shown, read_image, COLUMN_WIDTH))
        return comparison_sheet(comparisons, names, self.benchmark.metadata.colors)

    def _read(self) -> list[dict[str, Any]]:
        """Return the images, read at the first call; bad images are skipped."""
        if not self._elements:
            benchmark = self.benchmark
            read_ground_truth = functools.partial(read_ground_truths, benchmark.evaluators.ground_truth_kinds)
            mapper = EvalMapper.from_config(benchmark.cfg, read_ground_truth)
            for record in evenly_spaced(benchmark.dataset.records, self.count):
                try:
                    self._elements.append(mapper(record))
                except DataError as error:
                    logger.warning("Skipped in the preview: %s", error)
        return self._elements
