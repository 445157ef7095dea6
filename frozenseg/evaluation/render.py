"""An image of the gallery, drawn: the picture, its annotation, the prediction, and where the two differ.

Letters: H×W the image, h×w the drawing, G true segments, P predicted segments.
"""

import io
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from frozenseg.evaluation.gallery import GalleryImage, Layer
from frozenseg.structures.label_runs import count_pairs, overlay
from frozenseg.structures.palette import Colour

LARGEST_WIDTH = 480  # pixels
QUALITY = 78  # of JPEG, 1-95
SMALL_PALETTE = 256  # colours that a PNG with a palette may have
WHITE, CLEAR = (255, 255, 255, 255), (0, 0, 0, 0)
NOTHING = -1  # class of what belongs to nothing
MATCH_ABOVE = 0.5  # IoU
RIGHT, WRONG_CLASS, WRONG_SHAPE, MISSED, UNSCORED = range(5)
ERRORS: dict[int, tuple[str, Colour]] = {
    RIGHT: ("right", (196, 201, 208)),
    WRONG_CLASS: ("wrong class", (214, 62, 54)),
    WRONG_SHAPE: ("right class, but the segment has no partner (IoU ≤ 0.5)", (66, 120, 220)),
    MISSED: ("annotated, but nothing predicted", (240, 160, 30)),
}


class Drawn(NamedTuple):
    """An image, ready for a page.

    Attributes:
        name: of the image.
        score: from 0 to 1.
        image: JPEG.
        truth: PNG, classes in their colours; transparent where nothing is annotated.
        predicted: PNG likewise.
        errors: PNG in the colours of ``ERRORS``; transparent where nothing is annotated, or a crowd.
        legend: classes that occur, the largest first.
    """

    name: str
    score: float
    image: bytes
    truth: bytes
    predicted: bytes
    errors: bytes
    legend: list[int]


def draw(
    shown: GalleryImage,
    colours: Sequence[Colour],
    read_image: Callable[[str], Image.Image],
    width: int = LARGEST_WIDTH,
) -> Drawn:
    """Draw an image that a gallery has kept.

    Args:
        shown: the image.
        colours: of the classes.
        read_image: file name → RGB picture.
        width: of each drawing, pixels; smaller pictures are not enlarged.
    """
    size = shown.ground_truth.ids.size
    width = min(width, size[1])
    small = (max(1, round(width * size[0] / size[1])), width)
    picture = read_image(shown.file_name).resize((small[1], small[0]), Image.Resampling.LANCZOS)
    truth, predicted = _Numbered.of(shown.ground_truth), _Numbered.of(shown.predicted)
    true, said = _shrunk(truth.places(), small), _shrunk(predicted.places(), small)  # (h, w)
    same = truth.classes[:, None] == predicted.classes  # (G + 1, P + 1)
    partners = same & _partners(truth, predicted) if shown.kind == "segments" else same
    return Drawn(
        shown.name,
        shown.score,
        _jpeg(picture),
        _png(_coloured(truth.classes[true], colours), _edges(true)),
        _png(_coloured(predicted.classes[said], colours), _edges(said)),
        _png(_table([colour for _, colour in ERRORS.values()])[_errors(same, partners, true, said)]),
        _largest_first(truth, predicted),
    )


class _Numbered(NamedTuple):
    """A layer whose segments are numbered from 0; the last number is what belongs to nothing."""

    layer: Layer
    of_runs: np.ndarray  # (n,) the number of each run's segment
    classes: np.ndarray  # by number; -1 for the last

    @classmethod
    def of(cls, layer: Layer) -> "_Numbered":
        known = sorted(layer.classes)
        numbers = np.array([*known, np.iinfo(np.int64).max])  # a last one, so that every search finds a place
        found = np.searchsorted(numbers, layer.ids.values)
        places = np.where(numbers[found] == layer.ids.values, found, len(known))
        return cls(layer, places, np.array([*(layer.classes[number] for number in known), NOTHING]))

    def places(self) -> np.ndarray:
        """Return the number of each pixel's segment, (H, W)."""
        return self.layer.ids._replace(values=self.of_runs).pixels()


def _partners(truth: _Numbered, predicted: _Numbered) -> np.ndarray:
    """Say which segments overlap by more than half of their union, not counting pixels that are not scored."""
    run_of_truth, run_of_prediction, lengths = overlay(truth.layer.ids, predicted.layer.ids)
    shape = (len(truth.classes), len(predicted.classes))
    pixels = count_pairs(truth.of_runs[run_of_truth], predicted.of_runs[run_of_prediction], lengths, shape)
    union = pixels.sum(axis=1, keepdims=True) + pixels[:-1].sum(axis=0) - pixels
    return pixels > MATCH_ABOVE * union


def _errors(same: np.ndarray, partners: np.ndarray, true: np.ndarray, said: np.ndarray) -> np.ndarray:
    """Return the kind of error of each pixel, (h, w).

    Args:
        same: (G + 1, P + 1) bool, two segments are of one class.
        partners: (G + 1, P + 1) bool, and they match.
        true: (h, w) segment numbers.
        said: (h, w) likewise.
    """
    kinds = np.where(partners[true, said], RIGHT, WRONG_SHAPE)
    kinds[~same[true, said]] = WRONG_CLASS
    kinds[said == same.shape[1] - 1] = MISSED
    kinds[true == same.shape[0] - 1] = UNSCORED
    return kinds


def _shrunk(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Take the nearest pixels of an (H, W) map, (h, w)."""
    rows, columns = (
        ((np.arange(n) + 0.5) * given / n).astype(int) for n, given in zip(size, pixels.shape, strict=True)
    )
    return pixels[np.ix_(rows, columns)]


def _table(colours: Sequence[Colour]) -> np.ndarray:
    """Return (n + 1, 4) uint8 RGBA; the last one is clear."""
    return np.array([*((*colour, 255) for colour in colours), CLEAR], dtype=np.uint8)


def _coloured(classes: np.ndarray, colours: Sequence[Colour]) -> np.ndarray:
    """Return (h, w, 4) uint8 RGBA for (h, w) classes, -1 for nothing."""
    return _table(colours)[classes]


def _edges(places: np.ndarray) -> np.ndarray:
    """Say where a segment begins, from the left or from above, (h, w) bool."""
    edges = np.zeros(places.shape, dtype=bool)
    edges[:, 1:] |= places[:, 1:] != places[:, :-1]
    edges[1:] |= places[1:] != places[:-1]
    return edges


def _largest_first(*layers: _Numbered) -> list[int]:
    """Return the classes of some layers by the pixels that they have in all of them together."""
    classes = np.concatenate([layer.classes[layer.of_runs] for layer in layers])
    pixels = np.concatenate([layer.layer.ids.lengths() for layer in layers])
    counts = np.bincount(classes + 1, weights=pixels)[1:]  # without nothing
    return [label for label in np.argsort(-counts, kind="stable").tolist() if counts[label]]


def _jpeg(picture: Image.Image) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY, optimize=True)
    return file.getvalue()


def _png(pixels: np.ndarray, edges: np.ndarray | None = None) -> bytes:
    """Encode (h, w, 4) uint8 RGBA, with white edges."""
    drawn = pixels if edges is None else np.where(edges[..., None], np.array(WHITE, dtype=np.uint8), pixels)
    colours, places = np.unique(np.ascontiguousarray(drawn).view(np.uint32)[..., 0], return_inverse=True)
    if len(colours) <= SMALL_PALETTE:  # a byte a pixel instead of four
        image = Image.fromarray(places.reshape(drawn.shape[:2]).astype(np.uint8), "P")
        image.putpalette(colours.view(np.uint8).tobytes(), "RGBA")
    else:
        image = Image.fromarray(drawn)
    file = io.BytesIO()
    image.save(file, "PNG", optimize=True)
    return file.getvalue()
