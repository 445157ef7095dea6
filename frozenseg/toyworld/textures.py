"""Textures: smooth noise, the materials of the ground, and the patterns on things.

A material takes a random generator and the coordinates of each pixel in world units, (H, W) float32, in which the
default image is 128 wide, and returns colours (H, W, 3) float32, about 0-1.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image

Material = Callable[[np.random.Generator, np.ndarray, np.ndarray], np.ndarray]


def smooth_noise(rng: np.random.Generator, shape: tuple[int, int], rows: int, columns: int) -> np.ndarray:
    """Return noise that varies over a grid of ``rows`` × ``columns`` cells: (H, W) float32, about -1 to 1."""
    grid = rng.uniform(-1, 1, (max(2, rows), max(2, columns))).astype(np.float32)
    return np.asarray(Image.fromarray(grid).resize((shape[1], shape[0]), Image.Resampling.BICUBIC))


def paint_pattern(pattern: str, x: np.ndarray, y: np.ndarray, phase: float) -> np.ndarray:
    """Return the share of the second colour at each point of a thing.

    Args:
        pattern: ``striped``, ``dotted``, ``checkered``, or empty for a plain surface.
        x: (H, W) float32, points in the frame of the thing, where its radius is 1.
        y: likewise.
        phase: offset of the pattern, 0-1.

    Returns:
        (H, W) float32, 0-1.
    """
    if not pattern:
        return np.zeros_like(x)
    return _PATTERNS[pattern](x, y, phase)


def _stripes(x: np.ndarray, y: np.ndarray, phase: float) -> np.ndarray:
    del y  # stripes run along it
    return _step(np.sin(2 * np.pi * (1.75 * x + phase)), 0.35)


def _dots(x: np.ndarray, y: np.ndarray, phase: float) -> np.ndarray:
    u, v = 2.0 * x + phase, 2.0 * y + phase
    distance = np.hypot(u - np.round(u), v - np.round(v))
    return _step(0.29 - distance, 0.12)


def _checks(x: np.ndarray, y: np.ndarray, phase: float) -> np.ndarray:
    u, v = 2 * np.pi * (1.15 * x + phase), 2 * np.pi * (1.15 * y + phase)
    return _step(np.sin(u) * np.sin(v), 0.25)


_PATTERNS = {"striped": _stripes, "dotted": _dots, "checkered": _checks}


def grass(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Grass: blades in light and dark patches."""
    shape = x.shape
    height, width = _extent(y), _extent(x)
    blades = smooth_noise(rng, shape, height // 5, int(width / 1.5)) + smooth_noise(rng, shape, height // 8, width // 3)
    patches = smooth_noise(rng, shape, height // 40, width // 40)
    return _between((0.22, 0.42, 0.13), (0.55, 0.70, 0.28), 0.5 + 0.22 * blades + 0.22 * patches)


def sand(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sand: ripples and grains."""
    drift = smooth_noise(rng, x.shape, _extent(y) // 30, _extent(x) // 30)
    ripples = np.sin(0.75 * y + 2.5 * drift)
    grains = rng.standard_normal(x.shape, dtype=np.float32)
    return _between((0.72, 0.58, 0.36), (0.93, 0.83, 0.62), 0.5 + 0.22 * ripples + 0.14 * grains + 0.15 * drift)


def water(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Water: crossing waves with bright crests."""
    swell = smooth_noise(rng, x.shape, _extent(y) // 24, _extent(x) // 24)
    waves = np.sin(0.42 * y + 0.10 * x + 2.2 * swell) + 0.7 * np.sin(0.31 * x - 0.25 * y - 1.7 * swell)
    crests = _step(waves - 1.05, 0.35)[..., None]
    deep = _between((0.10, 0.30, 0.48), (0.28, 0.56, 0.72), 0.5 + 0.28 * waves)
    return deep + 0.35 * crests * (np.float32(0.95) - deep)


def brick(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Brick: courses of bricks in different tints with pale mortar."""
    row = np.floor(y / 9)
    column = np.floor(x / 19 + 0.5 * (row % 2))
    along, across = (x / 19 + 0.5 * (row % 2) - column) * 19, (y / 9 - row) * 9
    mortar = _step(1.1 - np.minimum(np.minimum(along, 19 - along), np.minimum(across, 9 - across)), 0.5)[..., None]
    tint = _per_cell(rng, row, column) + 0.25 * rng.standard_normal(x.shape, dtype=np.float32)
    bricks = _between((0.48, 0.20, 0.14), (0.72, 0.38, 0.28), 0.5 + 0.45 * tint)
    return bricks + mortar * (np.array([0.78, 0.74, 0.68], dtype=np.float32) - bricks)


def wood(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Wood: planks with long grain."""
    board = np.floor(y / 17)
    tint = _per_cell(rng, board, np.zeros_like(board))
    warp = smooth_noise(rng, x.shape, _extent(y) // 14, _extent(x) // 40)
    grain = np.sin(1.3 * y + 5 * warp + 9 * tint) + smooth_noise(rng, x.shape, _extent(y), _extent(x) // 20)
    across = (y / 17 - board) * 17
    seam = _step(0.9 - np.minimum(across, 17 - across), 0.5)[..., None]
    planks = _between((0.36, 0.21, 0.11), (0.72, 0.50, 0.30), 0.5 + 0.16 * grain + 0.22 * tint)
    return planks * (1 - 0.65 * seam)


def marble(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Marble: pale stone with thin grey veins."""
    height, width = _extent(y), _extent(x)
    cloud = smooth_noise(rng, x.shape, height // 32, width // 32)
    turbulence = cloud + 0.5 * smooth_noise(rng, x.shape, height // 14, width // 14)
    veins = (1 - np.abs(np.sin(0.055 * (x + y) + 2.6 * turbulence))) ** 6
    return _between((0.34, 0.35, 0.40), (0.93, 0.92, 0.90), 0.92 - 0.75 * veins + 0.10 * cloud)


def tiles(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Tiles: a floor of square glazed tiles, alternately light and dark."""
    row, column = np.floor(y / 15), np.floor(x / 15)
    along, across = x - 15 * column, y - 15 * row
    edge = np.minimum(np.minimum(along, 15 - along), np.minimum(across, 15 - across))
    grout = _step(0.9 - edge, 0.5)[..., None]
    parity = (row + column) % 2
    glaze = _between((0.36, 0.52, 0.56), (0.86, 0.88, 0.84), 0.1 + 0.8 * parity + 0.12 * _per_cell(rng, row, column))
    return glaze + grout * (np.array([0.42, 0.42, 0.42], dtype=np.float32) - glaze)


def gravel(rng: np.random.Generator, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Gravel: rounded pebbles of many greys with dark gaps."""
    pitch = 7.0
    row, column = np.floor(y / pitch).astype(np.int64), np.floor(x / pitch).astype(np.int64)
    row, column = row - row.min() + 1, column - column.min() + 1  # a border of one cell all around
    shape = (int(row.max()) + 2, int(column.max()) + 2)
    at_x, at_y, tint = rng.uniform(0.15, 0.85, shape), rng.uniform(0.15, 0.85, shape), rng.uniform(-1, 1, shape)
    inside_x, inside_y = (x / pitch) % 1, (y / pitch) % 1
    first = np.full(x.shape, np.inf)
    second, stone = first.copy(), np.zeros(x.shape)
    for down in (-1, 0, 1):
        for right in (-1, 0, 1):
            cell = (row + down, column + right)
            distance = np.hypot(at_x[cell] + right - inside_x, at_y[cell] + down - inside_y)
            nearer = distance < first
            second = np.where(nearer, first, np.minimum(second, distance))
            stone = np.where(nearer, tint[cell], stone)
            first = np.minimum(first, distance)
    gap = 1 - _step(second - first - 0.1, 0.1)
    return _between((0.20, 0.19, 0.18), (0.78, 0.75, 0.70), 0.58 + 0.3 * stone - 0.22 * first - 0.5 * gap)


MATERIAL_TEXTURES: dict[str, Material] = {
    "grass": grass,
    "sand": sand,
    "water": water,
    "brick": brick,
    "wood": wood,
    "marble": marble,
    "tiles": tiles,
    "gravel": gravel,
}


def _step(values: np.ndarray, softness: float) -> np.ndarray:
    """Return 0 below zero and 1 above, with a ramp of ``softness`` to both sides."""
    return np.clip(values / (2 * softness) + 0.5, 0, 1).astype(np.float32)


def _between(dark: tuple[float, ...], light: tuple[float, ...], amount: np.ndarray) -> np.ndarray:
    """Mix two colours by (H, W) amounts into (H, W, 3)."""
    low, high = np.array(dark, dtype=np.float32), np.array(light, dtype=np.float32)
    return low + np.clip(amount, 0, 1).astype(np.float32)[..., None] * (high - low)


def _extent(coordinates: np.ndarray) -> int:
    """Return the span of coordinates in whole world units."""
    return int(coordinates.max() - coordinates.min()) + 1


def _per_cell(rng: np.random.Generator, row: np.ndarray, column: np.ndarray) -> np.ndarray:
    """Return one random number in -1 … 1 for each cell of a grid, spread over its pixels."""
    row, column = (row - row.min()).astype(np.int64), (column - column.min()).astype(np.int64)
    return rng.uniform(-1, 1, (int(row.max()) + 1, int(column.max()) + 1)).astype(np.float32)[row, column]
