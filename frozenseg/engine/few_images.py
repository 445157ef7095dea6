"""The same few validation images, drawn again and again while a model learns."""

import functools
from typing import Any

import torch
from PIL import Image
from torch import nn

from frozenseg.data.images import read_image
from frozenseg.data.mapper import TestMapper
from frozenseg.data.survey import spread
from frozenseg.engine.evaluate import Benchmark, as_in_benchmark
from frozenseg.engine.outcome import colours_of
from frozenseg.errors import DataError
from frozenseg.evaluation.gallery import Gallery
from frozenseg.evaluation.picture_sheet import picture_sheet
from frozenseg.evaluation.pictures import draw
from frozenseg.evaluation.truth import read_truths
from frozenseg.log import get_logger

logger = get_logger(__name__)


class FewImages:
    """Draws a few images of a benchmark, from its first to its last, as annotated and as a model sees them.

    Args:
        model: not wrapped; keeps its words, its outputs and its mode.
        benchmark: whose images, words and outputs are taken.
        count: how many images.
    """

    def __init__(self, model: nn.Module, benchmark: Benchmark, count: int = 4) -> None:
        self.model, self.benchmark, self.count = model, benchmark, count
        self._elements: list[dict[str, Any]] = []

    def __call__(self) -> Image.Image:
        """Return the sheet: image, annotation, prediction."""
        gallery = Gallery(self.benchmark.evaluators, self.benchmark.metadata)
        elements, drawn = self._read(), []
        names = self.benchmark.classes.names
        colours = colours_of(self.benchmark.metadata, len(names))
        with as_in_benchmark(self.model, self.benchmark), torch.no_grad():
            for element in elements:
                shown = gallery.show(element, self.model([element])[0])
                if shown is not None:
                    drawn.append(draw(shown, colours, read_image))
        return picture_sheet(drawn, names, colours)

    def _read(self) -> list[dict[str, Any]]:
        """Read the images once; one that is bad is left out."""
        if not self._elements:
            benchmark = self.benchmark
            truth = functools.partial(read_truths, benchmark.evaluators.truths)
            mapper = TestMapper.from_config(benchmark.cfg, truth)
            for record in spread(benchmark.test_set.records, self.count):
                try:
                    self._elements.append(mapper(record))
                except DataError as error:
                    logger.warning("Not drawn: %s", error)
        return self._elements
