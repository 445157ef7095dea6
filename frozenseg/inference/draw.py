"""Masks as pictures: a tint for every class, a line around every segment, names on them and in a legend.

The overlay is torchvision's; names, legend and sheets are matplotlib's (the ``demo`` extra).
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torchvision.transforms.v2 import functional as tvf
from torchvision.utils import draw_segmentation_masks

from frozenseg.inference.legend import Legend
from frozenseg.inference.page import Page
from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import Colour, class_colour
from frozenseg.vocabulary import Vocabulary

OPACITY = 0.55
LINE = (255, 255, 255)
SMALL = 320  # pictures with a shorter side are enlarged, so that lines stay thin and letters in proportion
LINE_SHARE, TYPE_SHARE = 1 / 700, 1 / 45  # of a picture's longer side: width of lines, size of type
SMALLEST_TYPE = 14  # pixels
WIDEST_SHEET = 1600  # pixels
LONGEST_NAME = 32  # letters
GAP, TITLE = 12, 16  # pixels


class Region(NamedTuple):
    """A mask to draw.

    Attributes:
        mask: (H, W) bool.
        label: place of its class in the vocabulary.
        note: what to add to its name, such as a score.
    """

    mask: Tensor
    label: int
    note: str = ""


class _Place(NamedTuple):
    """The largest circle inside a region: centre and radius, pixels."""

    x: float
    y: float
    radius: float

    def holds(self, width: float, height: float) -> bool:
        """Whether a text of this size is at home in it; letters may come a little nearer to the border."""
        return (width / 2) ** 2 + (height / 2) ** 2 < (1.2 * self.radius) ** 2


def draw_panoptic(
    image: Image.Image, panoptic: tuple[Tensor, list[dict[str, Any]]], vocabulary: Vocabulary
) -> Image.Image:
    """Return the picture under its segments, with a legend.

    Args:
        image: (W, H) RGB.
        panoptic: (H, W) integer map of ids, and for each ``id`` its ``category_id``; other ids stay bare.
        vocabulary: names the categories.
    """
    ids, segments = panoptic
    return _draw(image, [Region(ids == segment["id"], segment["category_id"]) for segment in segments], vocabulary)


def draw_instances(
    image: Image.Image, instances: Instances, vocabulary: Vocabulary, threshold: float = 0.3
) -> Image.Image:
    """Return the picture under its instances, the best on top, with their scores and a legend.

    Args:
        image: (W, H) RGB.
        instances: with ``pred_masks`` (n, H, W) bool, ``scores`` (n,) and ``pred_classes`` (n,) int64.
        vocabulary: names the classes.
        threshold: instances that score less are left out, 0-1.
    """
    shown = instances[instances.scores >= threshold]
    shown = shown[shown.scores.argsort()]
    rows = zip(shown.pred_masks, shown.pred_classes.tolist(), shown.scores.tolist(), strict=True)
    return _draw(image, [Region(mask, label, f"{score:.2f}") for mask, label, score in rows], vocabulary)


def draw_semantic(image: Image.Image, semantic: Tensor, vocabulary: Vocabulary) -> Image.Image:
    """Return the picture under its classes, with a legend.

    Args:
        image: (W, H) RGB.
        semantic: (H, W) int64 classes, or (C, H, W) scores; numbers that are no class stay bare.
        vocabulary: names the classes.
    """
    if semantic.ndim == 3:
        semantic = semantic.argmax(dim=0)
    labels = [label for label in semantic.unique().tolist() if 0 <= label < len(vocabulary)]
    return _draw(image, [Region(semantic == label, label) for label in labels], vocabulary)


def contact_sheet(rows: Sequence[Sequence[tuple[str, Image.Image]]]) -> Image.Image:
    """Return pictures in rows and columns, each with its title above it; a wide sheet is made smaller."""
    columns = max(len(row) for row in rows)
    widths = [max(row[column][1].width for row in rows if column < len(row)) for column in range(columns)]
    scale = min(1.0, (WIDEST_SHEET - GAP * (columns + 1)) / sum(widths))
    heights = [round(scale * max(picture.height for _, picture in row)) for row in rows]
    lefts = [GAP]
    for width in widths:
        lefts.append(lefts[-1] + round(scale * width) + GAP)
    page = Page(lefts[-1], sum(heights) + (2 * TITLE + GAP) * len(rows))
    top = 0
    for row, height in zip(rows, heights, strict=True):
        for left, (title, picture) in zip(lefts, row, strict=False):
            page.add_text(title, left, top + TITLE * 1.2, TITLE)
            size = (round(scale * picture.width), round(scale * picture.height))
            page.add_picture(picture.convert("RGB").resize(size, Image.Resampling.LANCZOS), left, top + 2 * TITLE)
        top += height + 2 * TITLE + GAP
    return page.render()


def enlarged(image: Image.Image) -> Image.Image:
    """Return the picture (RGB), a small one a whole number of times as large, as all drawings are."""
    factor = max(1, -(-SMALL // min(image.size)))
    return image.convert("RGB").resize((image.width * factor, image.height * factor))


def _draw(image: Image.Image, regions: Sequence[Region], vocabulary: Vocabulary) -> Image.Image:
    """Tint regions, later ones on top; name them on the picture where there is room, and in a legend beside it."""
    large = enlarged(image)
    factor = large.width // image.width
    owner = _owners((image.height, image.width), regions)
    owner = owner.repeat_interleave(factor, dim=0).repeat_interleave(factor, dim=1)  # (H, W)
    size = max(SMALLEST_TYPE, round(max(large.size) * TYPE_SHARE))
    legend = Legend(_entries([region.label for region in regions], vocabulary), size, large.height)
    page = Page(large.width + legend.width, max(large.height, legend.height))
    top = (page.height - large.height) // 2
    page.add_picture(_tint(large, owner, [region.label for region in regions]), 0, top)
    legend.put(page, large.width, page.height / 2)
    for index, region in enumerate(regions):
        name = vocabulary.names[region.label]
        texts = (f"{name} {region.note}", region.note) if region.note else (name,)
        place = _widest_place((owner == index).numpy())
        if text := next((text for text in texts if place.holds(page.text_width(text, size), size)), None):
            page.add_label(text, place.x, top + place.y, size)
    return page.render()


def _entries(labels: Sequence[int], vocabulary: Vocabulary) -> list[tuple[str, Colour]]:
    """Return the legend of the classes that occur, most frequent first."""
    entries = []
    for label, count in Counter(labels).most_common():
        times = f" × {count}" if count > 1 else ""
        entries.append((f"{_shortened(vocabulary.names[label])}{times}", class_colour(label)))
    return entries


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1].rstrip()}…"


def _widest_place(mask: np.ndarray) -> _Place:
    """Return the largest circle inside an (H, W) bool mask, to a few pixels."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return _Place(0, 0, 0)
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    step = max(1, max(cut.shape) // 200)  # coarse is enough and keeps large pictures quick
    depth = distance_transform_edt(np.pad(cut[::step, ::step], 1))
    best = np.argwhere(depth >= 0.99 * depth.max())  # (n, 2), many in a long region
    y, x = best[np.linalg.norm(best - best.mean(axis=0), axis=1).argmin()]  # the one in their midst
    return _Place(float(columns[0] + (x - 0.5) * step), float(rows[0] + (y - 0.5) * step), float(depth[y, x] * step))


def _owners(shape: tuple[int, int], regions: Sequence[Region]) -> Tensor:
    """Return which region is on top at each pixel, (H, W) int64, -1 where there is none."""
    owner = torch.full(shape, -1)
    for index, region in enumerate(regions):
        owner[region.mask.cpu()] = index
    return owner


def _tint(image: Image.Image, owner: Tensor, labels: Sequence[int]) -> Image.Image:
    """Colour the regions of (H, W) ``owner`` by their labels, and draw a line along their borders."""
    if not labels:
        return image
    kinds = sorted(set(labels))
    places = torch.tensor([*(kinds.index(label) for label in labels), -1])  # the last one is for owner -1
    masks = places[owner][None] == torch.arange(len(kinds))[:, None, None]  # (classes, H, W)
    picture = tvf.pil_to_tensor(image)  # (3, H, W) uint8
    picture = draw_segmentation_masks(picture, masks, alpha=OPACITY, colors=[class_colour(kind) for kind in kinds])
    lines = _borders(owner, max(1, round(max(image.size) * LINE_SHARE)))
    return tvf.to_pil_image(draw_segmentation_masks(picture, lines, alpha=0.9, colors=[LINE]))


def _borders(owner: Tensor, width: int) -> Tensor:
    """Return (H, W) bool: lines, ``width`` pixels wide, where the right or lower neighbour is another region."""
    below = F.pad(owner[1:] != owner[:-1], (0, 0, 0, 1))
    right = F.pad(owner[:, 1:] != owner[:, :-1], (0, 1))
    thin = (below | right).float()[None]  # (1, H, W)
    before = (width - 1) // 2
    wide = F.max_pool2d(F.pad(thin, (before, width - 1 - before) * 2), width, stride=1)
    return wide[0] > 0
