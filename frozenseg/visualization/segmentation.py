"""Predicted masks over their image: a colour for every class, names on the segments and in a legend.

Segments of one class have shades of its colour, so that neighbours differ; swatches of the legend show the colours as
they look over the image, which is the mean of each segment's pixels in the drawing.

Letters: H×W the image, n instances, C classes.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt, find_objects
from torch import Tensor

from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import SHADES, Colour, shade, vocabulary_colours
from frozenseg.visualization.drawing_size import detail_size, drawing_size
from frozenseg.visualization.legend import MAX_COLUMNS, Legend, LegendEntry, first_entries, fitting_size, rows_within
from frozenseg.visualization.overlay import NO_LABEL, legend_colours, nearest_pixels, overlay_labels
from frozenseg.visualization.text import shorten, text_width, write_label
from frozenseg.vocabulary import Vocabulary

LINE_SHARE, SIZE_SHARE = 1 / 700, 1 / 45  # of an image's longer side: width of lines, size of letters
MIN_SIZE = 14  # of the letters, pixels
MAX_LEGEND_HEIGHT = 2000  # pixels, unless the image is higher
MAX_NAME_WIDTH = 18  # of a name in the legend, in sizes of the letters
NO_SEGMENTS = "no segments"


class Region(NamedTuple):
    """A segment to draw.

    Attributes:
        label: index of its class in the vocabulary.
        note: added to its name, such as a score.
    """

    label: int
    note: str = ""


class _Circle(NamedTuple):
    """The largest circle inside a region: centre and radius, pixels."""

    x: float
    y: float
    radius: float

    def has_room_for(self, width: float, height: float) -> bool:
        """Return True if a text of this size fits; letters may come a little nearer to the border."""
        return (width / 2) ** 2 + (height / 2) ** 2 < (1.2 * self.radius) ** 2


def draw_panoptic(
    image: Image.Image,
    panoptic: tuple[Tensor, Sequence[Mapping[str, Any]]],
    vocabulary: Vocabulary,
    colours: Sequence[Colour] | None = None,
) -> Image.Image:
    """Draw panoptic segments over the image, with a legend.

    Args:
        image: (W, H) RGB.
        panoptic: (H, W) integer map of ids, and for each ``id`` its ``category_id``; other ids are not drawn.
        vocabulary: names of the categories.
        colours: of the categories, such as those of a data set; None: those that their names suggest.
    """
    ids, segments = _at_drawing_size(panoptic[0], image), panoptic[1]
    regions = [Region(each["category_id"]) for each in segments]
    return _draw_regions(image, _index_of(ids, [each["id"] for each in segments]), regions, vocabulary, colours)


def draw_instances(
    image: Image.Image, instances: Instances, vocabulary: Vocabulary, threshold: float = 0.3
) -> Image.Image:
    """Return the image under its instances, the best on top, with their scores and a legend.

    Args:
        image: (W, H) RGB.
        instances: with ``pred_masks`` (n, H, W) bool, ``scores`` (n,) and ``pred_classes`` (n,) int64.
        vocabulary: names of the classes.
        threshold: smallest score of a drawn instance, 0-1.
    """
    shown = instances[instances.scores >= threshold]
    shown = shown[shown.scores.argsort()]
    owner = np.full(drawing_size(image.size)[::-1], NO_LABEL, dtype=np.int32)
    for index, mask in enumerate(shown.pred_masks):
        owner[_at_drawing_size(mask, image)] = index
    pairs = zip(shown.pred_classes.tolist(), shown.scores.tolist(), strict=True)
    return _draw_regions(image, owner, [Region(label, f"{score:.2f}") for label, score in pairs], vocabulary)


def draw_semantic(image: Image.Image, semantic: Tensor, vocabulary: Vocabulary) -> Image.Image:
    """Draw the class of each pixel over the image, with a legend.

    Args:
        image: (W, H) RGB.
        semantic: (H, W) int64 classes, or (C, H, W) scores; numbers that are no class are not drawn.
        vocabulary: names of the classes.
    """
    labels = _at_drawing_size(semantic.argmax(dim=0) if semantic.ndim == 3 else semantic, image)
    inside = labels[(labels >= 0) & (labels < len(vocabulary))]
    classes = np.flatnonzero(np.bincount(inside, minlength=len(vocabulary))).tolist()
    return _draw_regions(image, _index_of(labels, classes), [Region(label) for label in classes], vocabulary)


def resized_for_drawing(image: Image.Image) -> Image.Image:
    """Return the image (RGB) at the size of its drawings, see :func:`drawing_size`."""
    return image.convert("RGB").resize(drawing_size(image.size))


def _draw_regions(
    image: Image.Image,
    owner: np.ndarray,
    regions: Sequence[Region],
    vocabulary: Vocabulary,
    colours: Sequence[Colour] | None = None,
) -> Image.Image:
    """Return the image under regions, named where there is room, with a legend to its right.

    Args:
        image: (W, H) RGB.
        owner: index of the region of each pixel, -1 for none, integers at the size of the drawing.
        regions: classes of the indices.
        vocabulary: names of the classes.
        colours: of the classes; None: those that their names suggest.
    """
    large = resized_for_drawing(image)
    size = max(MIN_SIZE, round(detail_size(large.size) * SIZE_SHARE))
    region_colours = _region_colours(regions, colours or vocabulary_colours(vocabulary.names))
    swatches = legend_colours(large, [owner], region_colours)
    legend = _legend(regions, swatches, vocabulary, size, large.height)
    drawing = Image.new("RGB", (large.width + legend.width, max(large.height, legend.height)), "white")
    top = (drawing.height - large.height) // 2
    line_width = max(1, round(detail_size(large.size) * LINE_SHARE))
    drawing.paste(overlay_labels(large, owner, region_colours, line_width), (0, top))
    legend.draw(drawing, large.width, (drawing.height - legend.height) / 2)
    for region, circle in zip(regions, _largest_circles(owner, len(regions)), strict=True):
        name = vocabulary.names[region.label]
        texts = (f"{name} {region.note}", region.note) if region.note else (name,)
        if circle.radius < size / 4:
            continue  # no text has room
        if text := next((text for text in texts if circle.has_room_for(text_width(text, size), size)), ""):
            write_label(drawing, text, circle.x, top + circle.y, size)
    return drawing


def _at_drawing_size(pixels: Tensor, image: Image.Image) -> np.ndarray:
    """Return an (H, W) map at the size of the drawings of its image, each pixel from the nearest one."""
    width, height = drawing_size(image.size)
    array: np.ndarray = pixels.cpu().numpy()
    return array if array.shape == (height, width) else nearest_pixels(array, (height, width))


def _index_of(ids: np.ndarray, values: Sequence[int]) -> np.ndarray:
    """Return the index in ``values`` of each id, (H, W) int32; -1 where it is none of them."""
    if not values:
        return np.full(ids.shape, NO_LABEL, dtype=np.int32)
    order = np.argsort(values, kind="stable")
    ascending = np.asarray(values)[order]
    nearest = np.searchsorted(ascending, ids, side="right").clip(min=1) - 1  # (H, W)
    return np.where(ascending[nearest] == ids, order[nearest], NO_LABEL).astype(np.int32)


def _region_colours(regions: Sequence[Region], class_colours: Sequence[Colour]) -> list[Colour]:
    """Return a colour for each region: the next shade of its class."""
    counts: dict[int, int] = {}
    colours = []
    for region in regions:
        colours.append(shade(class_colours[region.label], counts.setdefault(region.label, 0)))
        counts[region.label] += 1
    return colours


def _legend(
    regions: Sequence[Region], colours: Sequence[Colour], vocabulary: Vocabulary, size: int, height: int
) -> Legend:
    """Return the legend of the classes that occur, the most frequent first.

    Letters become smaller where the legend would be higher than the image and ``MAX_LEGEND_HEIGHT``, down to
    ``MIN_SIZE``; classes that have no room then are counted.
    """
    by_class: dict[int, list[int]] = {}
    for index, region in enumerate(regions):
        by_class.setdefault(region.label, []).append(index)
    limit = max(height, MAX_LEGEND_HEIGHT)
    size = fitting_size(len(by_class), size, MIN_SIZE, limit)
    entries = []
    for label, members in sorted(by_class.items(), key=lambda item: -len(item[1])):
        times = f" ({len(members)})" if len(members) > 1 else ""
        swatch = tuple(colours[index] for index in members[: len(SHADES)])
        entries.append(LegendEntry(shorten(vocabulary.names[label], size, MAX_NAME_WIDTH * size) + times, swatch))
    shown = first_entries(entries or [LegendEntry(NO_SEGMENTS)], MAX_COLUMNS * rows_within(limit, size))
    return Legend(shown, size, height)


def _largest_circles(owner: np.ndarray, count: int) -> list[_Circle]:
    """Return the largest circle inside each region of an (H, W) map of ``count`` indices."""
    if not count:
        return []
    areas = np.bincount((owner + 1).ravel(), minlength=count + 1)[1:].tolist()
    boxes = find_objects(owner + 1, max_label=count)
    return [
        _Circle(0, 0, 0) if box is None else _largest_circle(owner[box] == index, box, area)
        for index, (box, area) in enumerate(zip(boxes, areas, strict=True))
    ]


def _largest_circle(mask: np.ndarray, box: tuple[slice, slice], area: int) -> _Circle:
    """Return the largest circle inside a region, to a few pixels.

    Args:
        mask: (h, w) bool, the box of the region.
        box: rows and columns of the mask.
        area: of the region, pixels; no circle in it is larger.
    """
    step = max(1, min(max(mask.shape) // 200, min(mask.shape) // 8))  # coarse is enough and keeps large images quick
    depth = distance_transform_edt(np.pad(mask[::step, ::step], 1))
    best = np.argwhere(depth >= 0.99 * depth.max())  # (n, 2), many in a long region
    y, x = best[np.linalg.norm(best - best.mean(axis=0), axis=1).argmin()]  # the point nearest to their centre
    rows, columns = box
    return _Circle(
        x=float(columns.start + (x - 0.5) * step),
        y=float(rows.start + (y - 0.5) * step),
        radius=min(float(depth[y, x] * step), math.sqrt(area / math.pi) + 1),
    )
