"""Outlines of masks as polygons along the edges of the pixels, optionally simplified.

Coordinates are those of pixel corners, x to the right and y downward: the pixel in row y and column x covers x to x + 1
and y to y + 1. Filled with the even-odd rule, an outline that is not simplified has exactly the pixels of the mask.
Pixels that touch at a corner only belong to different polygons. A hole is joined to the polygon around it by a line
that is walked in both directions, as the formats have no holes.

Letters: H×W the image, n corners.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.ndimage import label
from scipy.spatial import KDTree

Ring = np.ndarray  # (n, 2) x and y of corners; the last one is joined to the first
MIN_CORNERS = 3


class _Outline(NamedTuple):
    """An outer ring with the holes inside it."""

    outer: Ring
    holes: list[Ring]


def mask_polygons(
    mask: np.ndarray, tolerance: float = 0.0, require_time: Callable[[], None] = lambda: None
) -> list[Ring]:
    """Return the polygons of a mask, one for each connected part, from top to bottom.

    Args:
        mask: (H, W) bool.
        tolerance: largest distance of a simplified outline from the exact one, pixels; 0: exact.
        require_time: called before each polygon; an exception that it raises ends the computation.

    Returns:
        (n, 2) float64 x, y each, n at least 3.
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return []
    top, left = rows[0], columns[0]
    inside = np.pad(mask[top : rows[-1] + 1, left : columns[-1] + 1], 1).astype(bool)
    polygons = []
    for outline in _outlines(inside):
        require_time()
        outer = simplified(outline.outer, tolerance)
        holes = [simplified(hole, tolerance) for hole in outline.holes]
        polygons.append(_joined(outer, holes) + np.array([left - 1, top - 1]))
    return polygons


def joined_polygon(polygons: list[Ring]) -> Ring:
    """Return several polygons as one, joined by lines that are walked in both directions."""
    return _joined(polygons[0], polygons[1:]) if polygons else np.zeros((0, 2))


def simplified(ring: Ring, tolerance: float) -> Ring:
    """Drop corners of a ring that are not farther than a tolerance from the line between kept ones (Douglas, Peucker).

    A ring that would lose its area is returned as it is.

    Args:
        ring: (n, 2).
        tolerance: pixels.
    """
    if tolerance <= 0 or len(ring) <= MIN_CORNERS + 1:
        return ring
    far = int(np.square(ring - ring[0]).sum(axis=1).argmax())
    closed = np.concatenate([ring, ring[:1]])
    kept = np.zeros(len(closed), dtype=bool)
    kept[[0, far, len(ring)]] = True
    spans = [(0, far), (far, len(ring))]
    while spans:
        first, last = spans.pop()
        if last - first < 2:
            continue
        distances = _distances(closed[first + 1 : last], closed[first], closed[last])
        middle = first + 1 + int(distances.argmax())
        if distances[middle - first - 1] > tolerance:
            kept[middle] = True
            spans += [(first, middle), (middle, last)]
    result: Ring = ring[kept[:-1]]
    return result if len(result) >= MIN_CORNERS and signed_area(result) != 0 else ring


def signed_area(ring: Ring) -> float:
    """Return the area of a ring, positive if it is clockwise on the screen."""
    x, y = ring[:, 0], ring[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def _distances(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the distances of points (n, 2) from a segment, (n,)."""
    direction = end - start
    length = float(direction @ direction)
    share = ((points - start) @ direction / length).clip(0, 1) if length else np.zeros(len(points))
    offsets = points - start - share[:, None] * direction
    distances: np.ndarray = np.sqrt(np.square(offsets).sum(axis=1))
    return distances


def _outlines(inside: np.ndarray) -> list[_Outline]:
    """Return the outlines of a mask (H, W) bool with an empty border, in the order of their topmost pixels."""
    parts, _ = label(inside)
    outlines: dict[int, _Outline] = {}
    holes: list[tuple[int, Ring]] = []
    for ring in _rings(inside):
        x, y = ring[np.lexsort((ring[:, 0], ring[:, 1]))[0]].astype(int)  # upper left corner
        if inside[y, x]:
            outlines[int(parts[y, x])] = _Outline(_oriented(ring, clockwise=True), [])
        else:
            holes.append((int(parts[y - 1, x]), _oriented(ring, clockwise=False)))
    for part, ring in holes:
        outlines[part].holes.append(ring)
    return [outlines[part] for part in sorted(outlines)]


def _oriented(ring: Ring, clockwise: bool) -> Ring:
    """Return a ring in a direction, from its upper left corner on."""
    ring = ring if (signed_area(ring) > 0) == clockwise else ring[::-1]
    first = int(np.lexsort((ring[:, 0], ring[:, 1]))[0])
    return np.roll(ring, -first, axis=0)


def _rings(inside: np.ndarray) -> list[Ring]:
    """Return all closed outlines of a mask (H, W) bool with an empty border, as corners where they turn.

    In each row of corners, the first and second, third and fourth … are joined by a horizontal edge, and in each column
    by a vertical one. Where two pixels touch at a corner, two edges turn there: the corner occurs twice.
    """
    corners = inside[:-1, :-1].astype(np.int8) + inside[:-1, 1:] + inside[1:, :-1] + inside[1:, 1:]
    crossing = (corners == 2) & (inside[:-1, :-1] == inside[1:, 1:])  # diagonal neighbours
    rows, columns = np.nonzero((corners == 1) | (corners == 3) | crossing)
    repeats = 1 + crossing[rows, columns]
    points = np.stack([columns, rows], axis=1).repeat(repeats, axis=0) + 1  # (n, 2), row by row
    rising = inside[:-1, 1:][rows, columns].repeat(repeats)  # the pixels of a crossing are upper right and lower left
    doubled = crossing[rows, columns].repeat(repeats)
    beside = np.arange(len(points)) ^ 1  # the other end of the horizontal edge
    by_column = np.lexsort((points[:, 1], points[:, 0]))
    # the first copy of a crossing ends the edge from the left, the second begins the edge to the right; downward, the
    # edge from above ends at the copy whose pixel it belongs to
    swapped = np.flatnonzero((rising & doubled)[by_column])
    by_column[swapped[0::2]], by_column[swapped[1::2]] = by_column[swapped[1::2]], by_column[swapped[0::2]].copy()
    below = np.empty(len(points), dtype=np.int64)  # the other end of the vertical edge
    below[by_column] = by_column[np.arange(len(points)) ^ 1]
    return [points[cycle].astype(np.float64) for cycle in _cycles(beside.tolist(), below.tolist())]


def _cycles(beside: list[int], below: list[int]) -> list[list[int]]:
    """Follow horizontal and vertical edges in turn, from every corner that has not been visited."""
    visited = [False] * len(beside)
    cycles = []
    for start in range(len(beside)):
        cycle: list[int] = []
        current = start
        while not visited[current]:
            following = beside[current]
            visited[current] = visited[following] = True
            cycle += (current, following)
            current = below[following]
        if cycle:
            cycles.append(cycle)
    return cycles


def _joined(outer: Ring, inner: list[Ring]) -> Ring:
    """Return a ring with others joined to it, each at the two nearest corners."""
    if not inner:
        return outer
    tree = KDTree(outer)
    pieces: list[tuple[int, Ring]] = []
    for ring in inner:
        distances, corners = tree.query(ring)
        first = int(distances.argmin())
        turned, corner = np.roll(ring, -first, axis=0), int(corners[first])
        pieces.append((corner, np.concatenate([turned, turned[:1], outer[corner : corner + 1]])))
    parts, start = [], 0
    for corner, piece in sorted(pieces, key=lambda pair: pair[0]):
        parts += [outer[start : corner + 1], piece]
        start = corner + 1
    return np.concatenate([*parts, outer[start:]])
