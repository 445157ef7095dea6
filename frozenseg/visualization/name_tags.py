"""Names of regions in a drawing: inside of a region where there is room, otherwise beside it with a line to it.

Letters: k rectangles, m candidates of a position.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw

from frozenseg.structures.palette import Colour
from frozenseg.visualization.text import RIM, WHITE, shorten, text_width, write_label

HEIGHT = 1.3  # of a tag, in sizes of the letters
MAX_SHARE = 0.45  # of a tag beside its region: width as a share of the drawing's
RINGS, DIRECTIONS = 9, 16  # of the positions beside a region
MAX_BESIDE = 200  # tags beside their regions: a drawing has no room for further ones, the smallest have none
MIN_LINE = 3  # pixels between a tag and its region from which a line joins them
OUTSIDE_COST = 4.0  # cost of a pixel of a tag outside of the drawing, that of a covered tag is 1
COVERED_REGION_COST = 0.3  # cost of a pixel of another small region under a tag
DISTANCE_COST = 0.02  # cost of a distance, as a share of the tag's area, in heights of a tag


class Circle(NamedTuple):
    """The largest circle inside a region: centre and radius, pixels."""

    x: float
    y: float
    radius: float

    def has_room_for(self, width: float, height: float) -> bool:
        """Return True if a text of this size fits; letters may come a little nearer to the border."""
        return (width / 2) ** 2 + (height / 2) ** 2 < (1.2 * self.radius) ** 2


class NameTag(NamedTuple):
    """A region to name.

    Attributes:
        texts: its name in forms from long to short.
        circle: inside the region; of radius 0 for one without pixels, which is not named.
    """

    texts: Sequence[str]
    circle: Circle


class _Placed(NamedTuple):
    """A text at a position, centred."""

    text: str
    x: float
    y: float
    circle: Circle | None  # to which a line leads


def draw_name_tags(drawing: Image.Image, tags: Sequence[NameTag], size: int) -> None:
    """Write the names of all regions onto an RGB image, lines below texts.

    Args:
        drawing: changed.
        tags: of the regions.
        size: of the letters, pixels per em.
    """
    placed = _inside(tags, size)
    inside = {index for index, _ in placed}
    others = [tag for index, tag in enumerate(tags) if index not in inside and tag.circle.radius > 0]
    others = sorted(others, key=lambda tag: -tag.circle.radius)[:MAX_BESIDE][::-1]  # the smallest choose first
    texts = [each for _, each in placed]
    rectangles = [_rectangle(each.text, each.x, each.y, size) for each in texts]
    small = np.array([_box(tag.circle) for tag in others]).reshape(-1, 4)
    for tag in others:
        text = shorten(tag.texts[0], size, MAX_SHARE * drawing.width)
        x, y = _beside(tag.circle, _extent(text, size), drawing.size, np.array(rectangles).reshape(-1, 4), small)
        rectangles.append(_rectangle(text, x, y, size))
        texts.append(_Placed(text, x, y, tag.circle))
    for each in texts:
        if each.circle is not None:
            _draw_line(drawing, each, each.circle, size)
    for each in texts:
        write_label(drawing, each.text, each.x, each.y, size)


def _inside(tags: Sequence[NameTag], size: int) -> list[tuple[int, _Placed]]:
    """Return the texts that have room in their regions, with the indices of these."""
    placed = []
    for index, tag in enumerate(tags):
        if tag.circle.radius < size / 4:
            continue  # no text has room
        fitting = (text for text in tag.texts if tag.circle.has_room_for(text_width(text, size), size))
        if text := next(fitting, ""):
            placed.append((index, _Placed(text, tag.circle.x, tag.circle.y, None)))
    return placed


def _beside(
    circle: Circle, extent: tuple[float, float], canvas: tuple[int, int], taken: np.ndarray, regions: np.ndarray
) -> tuple[float, float]:
    """Return the centre of a tag beside a region: near, inside of the drawing, over no other tag.

    Args:
        circle: of the region.
        extent: width and height of the tag, pixels.
        canvas: width and height of the drawing, pixels.
        taken: (k, 4) rectangles of tags.
        regions: (k, 4) rectangles of small regions.
    """
    width, height = extent
    angles = (np.arange(DIRECTIONS) / DIRECTIONS - 0.25) * 2 * math.pi  # upward first
    steps = np.repeat(np.arange(RINGS), DIRECTIONS)
    reach = circle.radius + 2 + 0.8 * height * steps
    dx, dy = np.tile(np.cos(angles), RINGS), np.tile(np.sin(angles), RINGS)
    x, y = circle.x + dx * (reach + width / 2), circle.y + dy * (reach + height / 2)  # (m,)
    x = x.clip(width / 2, max(width / 2, canvas[0] - width / 2))
    y = y.clip(height / 2, max(height / 2, canvas[1] - height / 2))
    boxes = np.stack([x - width / 2, y - height / 2, x + width / 2, y + height / 2], axis=1)  # (m, 4)
    beyond = width * height - _overlaps(boxes, np.array([[0.0, 0.0, *canvas]]))
    cost = _overlaps(boxes, taken) + COVERED_REGION_COST * _overlaps(boxes, regions) + OUTSIDE_COST * beyond
    best = int((cost + DISTANCE_COST * width * height * steps).argmin())
    return float(x[best]), float(y[best])


def _overlaps(boxes: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return the area that each of (m, 4) boxes shares with (k, 4) others, in sum, (m,)."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    areas: np.ndarray = (high - low).clip(min=0).prod(axis=2).sum(axis=1)
    return areas


def _draw_line(drawing: Image.Image, tag: _Placed, circle: Circle, size: int) -> None:
    """Draw a line from a tag to the edge of its region, light with a dark rim, unless it is next to it."""
    left, top, right, bottom = _rectangle(tag.text, tag.x, tag.y, size)
    start = (min(max(circle.x, left), right), min(max(circle.y, top), bottom))
    length = math.hypot(start[0] - circle.x, start[1] - circle.y)
    if length - circle.radius < MIN_LINE:
        return
    share = circle.radius / length
    end = (circle.x + share * (start[0] - circle.x), circle.y + share * (start[1] - circle.y))
    pen = ImageDraw.Draw(drawing)
    width = max(1, round(size / 14))
    colours: tuple[tuple[Colour, int], ...] = ((RIM, width + 2), (WHITE, width))
    for colour, thickness in colours:
        pen.line((start, end), colour, thickness)


def _extent(text: str, size: int) -> tuple[float, float]:
    return text_width(text, size) + size / 4, HEIGHT * size


def _rectangle(text: str, x: float, y: float, size: int) -> tuple[float, float, float, float]:
    width, height = _extent(text, size)
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _box(circle: Circle) -> tuple[float, float, float, float]:
    return circle.x - circle.radius, circle.y - circle.radius, circle.x + circle.radius, circle.y + circle.radius
