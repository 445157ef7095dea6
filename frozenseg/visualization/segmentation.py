"""Predicted masks over their image: a colour for every class, names on the segments and in a legend.

Segments of one class have shades of its colour, so that neighbours differ; swatches of the legend show the colours as
they look over the image, which is the mean of each segment's pixels in the drawing.

Letters: H×W the image, n instances, C classes.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import SHADES, Colour, shade, vocabulary_colours
from frozenseg.visualization.legend import Legend, LegendEntry
from frozenseg.visualization.overlay import NO_LABEL, legend_colours, overlay_labels
from frozenseg.visualization.text import shorten, text_width, write_label
from frozenseg.vocabulary import Vocabulary

MIN_SIDE = 320  # pixels; images with a shorter side are enlarged, so that lines stay thin beside the letters
LINE_SHARE, SIZE_SHARE = 1 / 700, 1 / 45  # of an image's longer side: width of lines, size of letters
MIN_SIZE = 14  # of the letters, pixels
MAX_NAME_WIDTH = 18  # of a name in the legend, in sizes of the letters
NO_SEGMENTS = "no segments"


class Region(NamedTuple):
    """A mask to draw.

    Attributes:
        mask: (H, W) bool.
        label: index of its class in the vocabulary.
        note: added to its name, such as a score.
    """

    mask: np.ndarray
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
    ids, segments = panoptic[0].cpu().numpy(), panoptic[1]
    regions = [Region(ids == each["id"], each["category_id"]) for each in segments]
    return draw_regions(image, regions, vocabulary, colours)


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
    rows = zip(shown.pred_masks.cpu().numpy(), shown.pred_classes.tolist(), shown.scores.tolist(), strict=True)
    return draw_regions(image, [Region(mask, label, f"{score:.2f}") for mask, label, score in rows], vocabulary)


def draw_semantic(image: Image.Image, semantic: Tensor, vocabulary: Vocabulary) -> Image.Image:
    """Draw the class of each pixel over the image, with a legend.

    Args:
        image: (W, H) RGB.
        semantic: (H, W) int64 classes, or (C, H, W) scores; numbers that are no class are not drawn.
        vocabulary: names of the classes.
    """
    labels = (semantic.argmax(dim=0) if semantic.ndim == 3 else semantic).cpu().numpy()
    classes = [label for label in np.unique(labels).tolist() if 0 <= label < len(vocabulary)]
    return draw_regions(image, [Region(labels == label, label) for label in classes], vocabulary)


def draw_regions(
    image: Image.Image, regions: Sequence[Region], vocabulary: Vocabulary, colours: Sequence[Colour] | None = None
) -> Image.Image:
    """Return the image under regions, later ones on top, named where there is room, with a legend to its right.

    Args:
        image: (W, H) RGB.
        regions: masks of classes.
        vocabulary: names of the classes.
        colours: of the classes; None: those that their names suggest.
    """
    large = enlarge(image)
    factor = large.width // image.width
    owner = _topmost((image.height, image.width), regions)  # (H, W)
    size = max(MIN_SIZE, round(max(large.size) * SIZE_SHARE))
    region_colours = _region_colours(regions, colours or vocabulary_colours(vocabulary.names))
    legend = Legend(
        _entries(regions, legend_colours(image, [owner], region_colours), vocabulary, size), size, large.height
    )
    owner = owner.repeat(factor, axis=0).repeat(factor, axis=1)
    drawing = Image.new("RGB", (large.width + legend.width, max(large.height, legend.height)), "white")
    top = (drawing.height - large.height) // 2
    drawing.paste(overlay_labels(large, owner, region_colours, max(1, round(max(large.size) * LINE_SHARE))), (0, top))
    legend.draw(drawing, large.width, (drawing.height - legend.height) / 2)
    for index, region in enumerate(regions):
        circle = _largest_circle(owner == index)
        name = vocabulary.names[region.label]
        texts = (f"{name} {region.note}", region.note) if region.note else (name,)
        if text := next((text for text in texts if circle.has_room_for(text_width(text, size), size)), ""):
            write_label(drawing, text, circle.x, top + circle.y, size)
    return drawing


def enlarge(image: Image.Image) -> Image.Image:
    """Return the image (RGB) at the size of its drawings: a small one a whole number of times as large."""
    factor = max(1, -(-MIN_SIDE // min(image.size)))
    return image.convert("RGB").resize((image.width * factor, image.height * factor))


def _region_colours(regions: Sequence[Region], class_colours: Sequence[Colour]) -> list[Colour]:
    """Return a colour for each region: the next shade of its class."""
    counts: dict[int, int] = {}
    colours = []
    for region in regions:
        colours.append(shade(class_colours[region.label], counts.setdefault(region.label, 0)))
        counts[region.label] += 1
    return colours


def _entries(
    regions: Sequence[Region], colours: Sequence[Colour], vocabulary: Vocabulary, size: int
) -> list[LegendEntry]:
    """Return the legend of the classes that occur, the most frequent first."""
    by_class: dict[int, list[int]] = {}
    for index, region in enumerate(regions):
        by_class.setdefault(region.label, []).append(index)
    entries = []
    for label, members in sorted(by_class.items(), key=lambda item: -len(item[1])):
        times = f" ({len(members)})" if len(members) > 1 else ""
        swatch = tuple(colours[index] for index in members[: len(SHADES)])
        entries.append(LegendEntry(shorten(vocabulary.names[label], size, MAX_NAME_WIDTH * size) + times, swatch))
    return entries or [LegendEntry(NO_SEGMENTS)]


def _topmost(shape: tuple[int, int], regions: Sequence[Region]) -> np.ndarray:
    """Return the index of the region on top at each pixel, (H, W) int64, -1 where there is none."""
    owner = np.full(shape, NO_LABEL)
    for index, region in enumerate(regions):
        owner[region.mask] = index
    return owner


def _largest_circle(mask: np.ndarray) -> _Circle:
    """Return the largest circle inside an (H, W) bool mask, to a few pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return _Circle(0, 0, 0)
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    step = max(1, max(cut.shape) // 200)  # coarse is enough and keeps large images quick
    depth = distance_transform_edt(np.pad(cut[::step, ::step], 1))
    best = np.argwhere(depth >= 0.99 * depth.max())  # (n, 2), many in a long region
    y, x = best[np.linalg.norm(best - best.mean(axis=0), axis=1).argmin()]  # the point nearest to their centre
    return _Circle(float(columns[0] + (x - 0.5) * step), float(rows[0] + (y - 0.5) * step), float(depth[y, x] * step))
