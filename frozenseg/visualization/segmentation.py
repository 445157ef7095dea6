"""Predicted masks over their image: a colour for every class, names on the segments and in a legend.

Segments of one class have shades of its colour, so that neighbours differ; swatches of the legend show the colours as
they look over the image, which is the mean of each segment's pixels in the drawing.

Letters: H×W the image, n instances, C classes.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from torch import Tensor

from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import SHADES, Colour, shade, vocabulary_colours
from frozenseg.visualization.drawing_size import detail_size, drawing_size
from frozenseg.visualization.legend import MAX_COLUMNS, Legend, LegendEntry, first_entries, fitting_size, rows_within
from frozenseg.visualization.name_tags import Circle, NameTag, draw_name_tags
from frozenseg.visualization.overlay import NO_LABEL, OPACITY, legend_colours, nearest_pixels, overlay_labels
from frozenseg.visualization.text import shorten
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
        number: among the regions of its class, from 1; 0 if it is the only one.
    """

    label: int
    note: str = ""
    number: int = 0


class DrawingStyle(NamedTuple):
    """Style of a drawing.

    Attributes:
        opacity: of the colours over the image, 0-1.
        legend: add a legend to the right of the image.
        max_size: longest side of the image in the drawing, pixels; 0 for the limits of :func:`drawing_size`.
    """

    opacity: float = OPACITY
    legend: bool = True
    max_size: int = 0


STYLE = DrawingStyle()


def draw_panoptic(
    image: Image.Image,
    panoptic: tuple[Tensor, Sequence[Mapping[str, Any]]],
    vocabulary: Vocabulary,
    colours: Sequence[Colour] | None = None,
    style: DrawingStyle = STYLE,
) -> Image.Image:
    """Draw panoptic segments over the image, with a legend; things of one class have numbers.

    Args:
        image: (W, H) RGB.
        panoptic: (H, W) integer map of ids, and for each ``id`` its ``category_id``; other ids are not drawn.
        vocabulary: names of the categories.
        colours: of the categories, such as those of a data set; None: those that their names suggest.
        style: of the drawing.
    """
    ids, segments = _at_drawing_size(panoptic[0], image, style), panoptic[1]
    regions = _numbered([each["category_id"] for each in segments])
    owner = _index_of(ids, [each["id"] for each in segments])
    return _draw_regions(image, owner, regions, vocabulary, colours, style)


def draw_instances(
    image: Image.Image,
    instances: Instances,
    vocabulary: Vocabulary,
    threshold: float = 0.3,
    style: DrawingStyle = STYLE,
) -> Image.Image:
    """Return the image under its instances, the small ones on top, with their scores and a legend.

    Args:
        image: (W, H) RGB.
        instances: with ``pred_masks`` (n, H, W) bool, ``scores`` (n,) and ``pred_classes`` (n,) int64.
        vocabulary: names of the classes.
        threshold: smallest score of a drawn instance, 0-1.
        style: of the drawing.
    """
    shown = instances[instances.scores >= threshold]
    shown = shown[shown.scores.argsort(stable=True)]  # of equal masks, the best is on top
    shown = shown[shown.pred_masks.flatten(1).sum(dim=1).argsort(descending=True, stable=True)]
    owner = np.full(drawing_size(image.size, style.max_size)[::-1], NO_LABEL, dtype=np.int32)
    for index, mask in enumerate(shown.pred_masks):
        owner[_at_drawing_size(mask, image, style)] = index
    pairs = zip(shown.pred_classes.tolist(), shown.scores.tolist(), strict=True)
    regions = [Region(label, f"{score:.2f}") for label, score in pairs]
    return _draw_regions(image, owner, regions, vocabulary, style=style)


def draw_semantic(
    image: Image.Image, semantic: Tensor, vocabulary: Vocabulary, style: DrawingStyle = STYLE
) -> Image.Image:
    """Draw the class of each pixel over the image, with a legend.

    Args:
        image: (W, H) RGB.
        semantic: (H, W) int64 classes, or (C, H, W) scores; numbers that are no class are not drawn.
        vocabulary: names of the classes.
        style: of the drawing.
    """
    labels = _at_drawing_size(semantic.argmax(dim=0) if semantic.ndim == 3 else semantic, image, style)
    inside = labels[(labels >= 0) & (labels < len(vocabulary))]
    classes = np.flatnonzero(np.bincount(inside, minlength=len(vocabulary))).tolist()
    regions = [Region(label) for label in classes]
    return _draw_regions(image, _index_of(labels, classes), regions, vocabulary, style=style)


def resized_for_drawing(image: Image.Image, max_size: int = 0) -> Image.Image:
    """Return the image (RGB) at the size of its drawings, see :func:`drawing_size`."""
    return image.convert("RGB").resize(drawing_size(image.size, max_size))


def _numbered(labels: Sequence[int]) -> list[Region]:
    """Return regions of classes; those of a class that occurs several times are numbered."""
    totals, counts = Counter(labels), Counter[int]()
    regions = []
    for label in labels:
        counts[label] += 1
        regions.append(Region(label, number=counts[label] if totals[label] > 1 else 0))
    return regions


def _draw_regions(
    image: Image.Image,
    owner: np.ndarray,
    regions: Sequence[Region],
    vocabulary: Vocabulary,
    colours: Sequence[Colour] | None = None,
    style: DrawingStyle = STYLE,
) -> Image.Image:
    """Return the image under regions with their names, and a legend to its right.

    Args:
        image: (W, H) RGB.
        owner: index of the region of each pixel, -1 for none, integers at the size of the drawing.
        regions: classes of the indices.
        vocabulary: names of the classes.
        colours: of the classes; None: those that their names suggest.
        style: of the drawing.
    """
    large = resized_for_drawing(image, style.max_size)
    size = max(MIN_SIZE, round(detail_size(large.size) * SIZE_SHARE))
    line_width = max(1, round(detail_size(large.size) * LINE_SHARE))
    region_colours = _region_colours(regions, colours or vocabulary_colours(vocabulary.names))
    drawing = overlay_labels(large, owner, region_colours, line_width, opacity=style.opacity)
    circles = _largest_circles(owner, len(regions))
    pairs = zip(regions, circles, strict=True)
    draw_name_tags(drawing, [NameTag(_texts(region, vocabulary), circle) for region, circle in pairs], size)
    if not style.legend:
        return drawing
    swatches = legend_colours(large, [owner], region_colours, style.opacity)
    legend = _legend(regions, swatches, vocabulary, size, large.height)
    sheet = Image.new("RGB", (large.width + legend.width, max(large.height, legend.height)), "white")
    sheet.paste(drawing, (0, (sheet.height - large.height) // 2))
    legend.draw(sheet, large.width, (sheet.height - legend.height) / 2)
    return sheet


def _texts(region: Region, vocabulary: Vocabulary) -> tuple[str, ...]:
    """Return the name of a region in forms from long to short."""
    name = vocabulary.names[region.label]
    addition = region.note or str(region.number or "")
    return (f"{name} {addition}", name) if addition else (name,)


def _at_drawing_size(pixels: Tensor, image: Image.Image, style: DrawingStyle) -> np.ndarray:
    """Return an (H, W) map at the size of the drawings of its image, each pixel from the nearest one."""
    width, height = drawing_size(image.size, style.max_size)
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


def _largest_circles(owner: np.ndarray, count: int) -> list[Circle]:
    """Return the largest circle inside each region of an (H, W) map of ``count`` indices."""
    from scipy.ndimage import find_objects  # slow to import

    if not count:
        return []
    areas = np.bincount((owner + 1).ravel(), minlength=count + 1)[1:].tolist()
    boxes = find_objects(owner + 1, max_label=count)
    return [
        Circle(0, 0, 0) if box is None else _largest_circle(owner[box] == index, box, area)
        for index, (box, area) in enumerate(zip(boxes, areas, strict=True))
    ]


def _largest_circle(mask: np.ndarray, box: tuple[slice, slice], area: int) -> Circle:
    """Return the largest circle inside a region, to a few pixels.

    Args:
        mask: (h, w) bool, the box of the region.
        box: rows and columns of the mask.
        area: of the region, pixels; no circle in it is larger.
    """
    from scipy.ndimage import distance_transform_edt  # as above

    step = max(1, min(max(mask.shape) // 100, min(mask.shape) // 8))  # coarse is enough, and is quick
    depth = distance_transform_edt(np.pad(mask[::step, ::step], 1))
    best = np.argwhere(depth >= 0.99 * depth.max())  # (n, 2), many in a long region
    y, x = best[np.linalg.norm(best - best.mean(axis=0), axis=1).argmin()]  # the point nearest to their centre
    rows, columns = box
    return Circle(
        x=float(columns.start + (x - 0.5) * step),
        y=float(rows.start + (y - 0.5) * step),
        radius=min(float(depth[y, x] * step), math.sqrt(area / math.pi) + 1),
    )
