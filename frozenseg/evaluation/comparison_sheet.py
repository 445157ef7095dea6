"""Sheet of a few images: each with its ground truth, its prediction, and a legend of its classes."""

from collections.abc import Sequence

from PIL import Image

from frozenseg.evaluation.comparison import Comparison, SegmentMap
from frozenseg.structures.palette import Colour
from frozenseg.visualization.drawing_size import enlargement
from frozenseg.visualization.image_grid import COLUMN_WIDTH, GridRow, image_grid
from frozenseg.visualization.legend import LegendEntry
from frozenseg.visualization.overlay import legend_colours, overlay_labels

HEADERS = ("image", "ground truth", "prediction", "classes of both, largest first")


def comparison_sheet(images: Sequence[Comparison], names: Sequence[str], colours: Sequence[Colour]) -> Image.Image:
    """Return images below each other, RGB.

    Args:
        images: with their ground truth and prediction.
        names: of all classes.
        colours: of all classes.
    """
    return image_grid([_row(image, names, colours) for image in images], HEADERS)


def _row(comparison: Comparison, names: Sequence[str], colours: Sequence[Colour]) -> GridRow:
    factor = enlargement(comparison.image.size, comparison.image.width, COLUMN_WIDTH)
    size = (factor * comparison.image.width, factor * comparison.image.height)
    image = comparison.image.resize(size, Image.Resampling.BICUBIC)
    maps = [_enlarged(segments, factor) for segments in (comparison.ground_truth, comparison.prediction)]
    swatches = legend_colours(image, [segments.class_map() for segments in maps], colours)
    legend = [LegendEntry(names[label], (swatches[label],)) for label in comparison.classes]
    return GridRow(comparison.name, [image, *(_overlay(image, segments, colours) for segments in maps)], legend)


def _enlarged(segments: SegmentMap, factor: int) -> SegmentMap:
    return segments._replace(numbers=segments.numbers.repeat(factor, axis=0).repeat(factor, axis=1))


def _overlay(image: Image.Image, segments: SegmentMap, colours: Sequence[Colour]) -> Image.Image:
    of_segments = [colours[label] for label in segments.classes[:-1].tolist()]
    return overlay_labels(image, segments.numbers, of_segments)
