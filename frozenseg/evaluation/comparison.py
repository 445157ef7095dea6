"""Comparison of an image's prediction with its ground truth, pixel by pixel at the size of a drawing.

Letters: H×W the image, h×w the drawing, G ground-truth segments, P predicted segments.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from PIL import Image

from frozenseg.evaluation.gallery import GalleryImage, Layer
from frozenseg.structures.label_runs import count_pairs, overlay
from frozenseg.structures.palette import Colour
from frozenseg.visualization.overlay import NO_LABEL, nearest_pixels

DRAWING_WIDTH = 480  # of a drawing, pixels
MATCH_ABOVE = 0.5  # IoU
CORRECT, WRONG_CLASS, WRONG_SHAPE, MISSED, UNSCORED = range(5)
ERRORS: dict[int, tuple[str, Colour]] = {
    CORRECT: ("correct", (196, 201, 208)),
    WRONG_CLASS: ("wrong class", (214, 62, 54)),
    WRONG_SHAPE: ("right class, but the segment has no match (IoU ≤ 0.5)", (66, 120, 220)),
    MISSED: ("annotated, but nothing predicted", (240, 160, 30)),
}


class SegmentMap(NamedTuple):
    """Segments of an image, numbered from 0.

    Attributes:
        numbers: (h, w) segment of each pixel, ``NO_LABEL`` (-1) for none.
        classes: (n + 1,) class of each segment; the last one, -1, is that of no segment.
    """

    numbers: np.ndarray
    classes: np.ndarray

    def class_map(self) -> np.ndarray:
        """Return the class of each pixel, (h, w), -1 for none."""
        return self.classes[self.numbers]


class Comparison(NamedTuple):
    """An image with its ground truth, its prediction and the errors.

    Attributes:
        name: of the image.
        score: 0-1; NaN if it is not scored.
        image: (w, h) RGB.
        ground_truth: annotated segments.
        prediction: predicted segments.
        errors: (h, w) key of ``ERRORS``, or ``UNSCORED`` for pixels without annotation and crowds.
        classes: that occur in either, the largest first.
    """

    name: str
    score: float
    image: Image.Image
    ground_truth: SegmentMap
    prediction: SegmentMap
    errors: np.ndarray
    classes: list[int]


def compare_images(
    shown: GalleryImage, read_image: Callable[[str, tuple[int, int]], Image.Image], width: int = DRAWING_WIDTH
) -> Comparison:
    """Compare an image of the gallery with its ground truth.

    Args:
        shown: the image.
        read_image: file name, annotated height and width → RGB image.
        width: of the drawing, pixels; smaller images are not enlarged.
    """
    height, full_width = shown.ground_truth.ids.size
    width = min(width, full_width)
    size = (max(1, round(width * height / full_width)), width)
    image = read_image(shown.file_name, shown.ground_truth.ids.size).resize(
        (size[1], size[0]), Image.Resampling.LANCZOS
    )
    truth, predicted = _Numbered.of(shown.ground_truth), _Numbered.of(shown.predicted)
    ground_truth, prediction = truth.at_size(size), predicted.at_size(size)
    same = truth.classes[:, None] == predicted.classes  # (G + 1, P + 1)
    matches = same & _overlapping(truth, predicted) if shown.kind == "segments" else same
    return Comparison(
        shown.name,
        shown.score,
        image,
        ground_truth,
        prediction,
        _errors(same, matches, ground_truth.numbers, prediction.numbers),
        _largest_first(truth, predicted),
    )


class _Numbered(NamedTuple):
    """A layer with its segments numbered from 0; the last number is that of pixels without a segment."""

    layer: Layer
    of_runs: np.ndarray  # (n,) the number of each run's segment
    classes: np.ndarray  # by number; -1 for the last

    @classmethod
    def of(cls, layer: Layer) -> "_Numbered":
        known = sorted(layer.classes)
        ids = np.array([*known, np.iinfo(np.int64).max])  # sentinel, so that every search has a result
        nearest = np.searchsorted(ids, layer.ids.values)
        of_runs = np.where(ids[nearest] == layer.ids.values, nearest, len(known))
        return cls(layer, of_runs, np.array([*(layer.classes[segment] for segment in known), NO_LABEL]))

    def at_size(self, size: tuple[int, int]) -> SegmentMap:
        """Return the segments of the nearest pixels at another size (height, width)."""
        last = len(self.classes) - 1
        numbers = np.where(self.of_runs == last, NO_LABEL, self.of_runs)
        return SegmentMap(nearest_pixels(self.layer.ids._replace(values=numbers).pixels(), size), self.classes)


def _overlapping(truth: _Numbered, predicted: _Numbered) -> np.ndarray:
    """Return True for segments that overlap by more than half of their union, without pixels that are not scored.

    Returns:
        (G + 1, P + 1) bool.
    """
    run_of_truth, run_of_prediction, lengths = overlay(truth.layer.ids, predicted.layer.ids)
    shape = (len(truth.classes), len(predicted.classes))
    pixels = count_pairs(truth.of_runs[run_of_truth], predicted.of_runs[run_of_prediction], lengths, shape)
    union = pixels.sum(axis=1, keepdims=True) + pixels[:-1].sum(axis=0) - pixels
    return pixels > MATCH_ABOVE * union


def _errors(same: np.ndarray, matches: np.ndarray, true: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return the kind of error of each pixel, (h, w).

    Args:
        same: (G + 1, P + 1) bool, True if two segments are of one class.
        matches: (G + 1, P + 1) bool, True if they match.
        true: (h, w) annotated segment numbers, -1 for none.
        predicted: (h, w) likewise, predicted.
    """
    kinds = np.where(matches[true, predicted], CORRECT, WRONG_SHAPE)
    kinds[~same[true, predicted]] = WRONG_CLASS
    kinds[predicted == NO_LABEL] = MISSED
    kinds[true == NO_LABEL] = UNSCORED
    return kinds


def _largest_first(*layers: _Numbered) -> list[int]:
    """Return the classes of some layers by the pixels that they have in all of them together."""
    classes = np.concatenate([layer.classes[layer.of_runs] for layer in layers])
    pixels = np.concatenate([layer.layer.ids.lengths() for layer in layers])
    counts = np.bincount(classes + 1, weights=pixels)[1:]  # without those of no class
    return [label for label in np.argsort(-counts, kind="stable").tolist() if counts[label]]
