"""Outlines of things as signed distance functions: negative inside, zero on the border, positive outside.

All functions take points in the frame of the thing, where its radius is 1, y points down and the thing is centred on
(0, 0), and return distances in the same unit. Distances, rather than a mask, give antialiased edges, shading and
shadows at any size without supersampling.
"""

from collections.abc import Callable

import numpy as np

Outline = Callable[[np.ndarray, np.ndarray], np.ndarray]


def circle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to a circle; x, y and the result are (H, W) float32."""
    return np.hypot(x, y) - 0.9


def square(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to an axis-aligned square; (H, W) float32."""
    return _box(x, y, 0.76, 0.76)


def cross(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to a plus sign; (H, W) float32."""
    return np.minimum(_box(x, y, 0.95, 0.33), _box(x, y, 0.33, 0.95))


def crescent(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to a crescent moon, open to the right; (H, W) float32."""
    return np.maximum(np.hypot(x, y) - 0.95, 0.78 - np.hypot(x - 0.52, y))


def heart(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Distance to a heart; (H, W) float32."""
    side, up = np.abs(x) / 1.55, (0.77 - y) / 1.55
    lobe = np.hypot(side - 0.25, up - 0.75) - np.float32(np.sqrt(2) / 4)
    along = np.maximum(side + up, 0) / 2
    tip = np.sqrt(np.minimum(side**2 + (up - 1) ** 2, (side - along) ** 2 + (up - along) ** 2)) * np.sign(side - up)
    return 1.55 * np.where(side + up > 1, lobe, tip)


def _box(x: np.ndarray, y: np.ndarray, half_width: float, half_height: float) -> np.ndarray:
    beyond_x, beyond_y = np.abs(x) - half_width, np.abs(y) - half_height
    outside = np.hypot(np.maximum(beyond_x, 0), np.maximum(beyond_y, 0))
    return outside + np.minimum(np.maximum(beyond_x, beyond_y), 0)


def _polygon(corners: np.ndarray) -> Outline:
    """Return the distance to a simple polygon.

    Args:
        corners: (N, 2) x, y, in order.
    """

    def distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        nearest = np.full(x.shape, np.inf, dtype=np.float32)
        inside = np.zeros(x.shape, dtype=bool)
        for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
            edge_x, edge_y = x1 - x0, y1 - y0
            from_x, from_y = x - x0, y - y0
            along = np.clip((from_x * edge_x + from_y * edge_y) / (edge_x**2 + edge_y**2), 0, 1)
            nearest = np.minimum(nearest, (from_x - along * edge_x) ** 2 + (from_y - along * edge_y) ** 2)
            if edge_y != 0:  # an edge to the right of the point switches inside and outside (even-odd rule)
                between = (y0 <= y) != (y1 <= y)
                inside ^= between & (from_x < from_y * (edge_x / edge_y))
        return np.where(inside, -1, 1) * np.sqrt(nearest)

    return distance


def _ring_of_corners(count: int, radii: tuple[float, ...]) -> np.ndarray:
    """Return ``count`` corners at equal angles, the first at the top, their radii taken in turn."""
    angles = 2 * np.pi * np.arange(count) / count
    radius = np.resize(np.array(radii), count)
    return np.stack([radius * np.sin(angles), -radius * np.cos(angles)], axis=1).astype(np.float32)


OUTLINES: dict[str, Outline] = {
    "circle": circle,
    "square": square,
    "triangle": _polygon(_ring_of_corners(3, (1.08,))),
    "star": _polygon(_ring_of_corners(10, (1.08, 0.48))),
    "heart": heart,
    "hexagon": _polygon(_ring_of_corners(6, (0.98,))),
    "cross": cross,
    "crescent": crescent,
}
