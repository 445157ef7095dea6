"""What all sections are made of: linear maps, norms, convolution, bilinear reading, attention, position embedding."""

import math
from collections.abc import Mapping

import numpy as np

Weights = Mapping[str, np.ndarray]


def under(weights: Weights, prefix: str) -> dict[str, np.ndarray]:
    """Return the weights whose name begins with ``prefix.``, without it."""
    return {name[len(prefix) + 1 :]: value for name, value in weights.items() if name.startswith(prefix + ".")}


def linear(x: np.ndarray, weights: Weights) -> np.ndarray:
    """Map (…, a) to (…, b) by ``weight`` (b, a) and, where there is one, ``bias`` (b,)."""
    return x @ weights["weight"].T + weights.get("bias", 0.0)


def relu(x: np.ndarray) -> np.ndarray:
    """Return max(x, 0)."""
    return np.where(x > 0, x, 0.0)


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + e^-x), written so that nothing overflows."""
    return 0.5 * (1 + np.tanh(0.5 * x))


def softmax(x: np.ndarray, axis: int = -1) -> np.ndarray:
    """Return e^x / Σ e^x; positions at -∞ get 0."""
    powers = np.exp(x - x.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def normalise(x: np.ndarray) -> np.ndarray:
    """Divide each last-axis vector by its length."""
    return x / np.sqrt((x**2).sum(axis=-1, keepdims=True))


def perceptron(x: np.ndarray, weights: Weights) -> np.ndarray:
    """Apply ``layers.0``, ``layers.1``, … with ReLU between them (§6)."""
    depth = len({name.split(".")[1] for name in weights})
    for layer in range(depth):
        x = linear(x, under(weights, f"layers.{layer}"))
        x = relu(x) if layer < depth - 1 else x
    return x


def layer_norm(x: np.ndarray, weights: Weights) -> np.ndarray:
    """Give each last-axis vector mean 0 and variance 1 (+ 1e-5), then scale and shift it."""
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-5) * weights["weight"] + weights["bias"]


def group_norm(x: np.ndarray, weights: Weights) -> np.ndarray:
    """Normalise (B, c, h, w) over groups of channels: 32 groups, or as many of those as the width can share (§5)."""
    batch, channels, height, width = x.shape
    grouped = x.reshape(batch, math.gcd(32, channels), -1)
    grouped = grouped - grouped.mean(axis=-1, keepdims=True)
    grouped = grouped / np.sqrt((grouped**2).mean(axis=-1, keepdims=True) + 1e-5)
    normed = grouped.reshape(batch, channels, height, width)
    return normed * weights["weight"][:, None, None] + weights["bias"][:, None, None]


def conv2d(x: np.ndarray, weights: Weights, stride: int = 1) -> np.ndarray:
    """Convolve (B, a, h, w) with ``weight`` (b, a, k, k), zeros around it so that stride 1 keeps the size."""
    kernel = weights["weight"]
    reach = kernel.shape[-1] // 2
    height, width = ((side - 1) // stride + 1 for side in x.shape[-2:])
    padded = np.pad(x, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    total = np.zeros((len(x), len(kernel), height, width))
    for row in range(kernel.shape[-2]):
        for column in range(kernel.shape[-1]):
            seen = padded[:, :, row : row + stride * height : stride, column : column + stride * width : stride]
            seen = seen[:, :, :height, :width]
            total += np.einsum("oi,bihw->bohw", kernel[:, :, row, column], seen)
    return total + weights["bias"][:, None, None] if "bias" in weights else total


def resize_matrix(old: int, new: int) -> np.ndarray:
    """Return (new, old): row i mixes the two old pixels around the centre of new pixel i; the edge is repeated."""
    centre = np.clip((np.arange(new) + 0.5) * old / new - 0.5, 0, old - 1)
    first = np.floor(centre).astype(int)
    matrix = np.zeros((new, old))
    np.add.at(matrix, (np.arange(new), first), 1 - (centre - first))
    np.add.at(matrix, (np.arange(new), np.minimum(first + 1, old - 1)), centre - first)
    return matrix


def resize(maps: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize (…, h, w) bilinearly: half-pixel centres (``align_corners=False``), no smoothing."""
    rows, columns = resize_matrix(maps.shape[-2], size[0]), resize_matrix(maps.shape[-1], size[1])
    return rows @ maps @ columns.T


def sample(grid: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Read (…, h, w) at points x, y (n,) in 0 … 1: bilinear between pixel centres, zeros outside (§5, §7); (…, n)."""
    height, width = grid.shape[-2:]
    column, row = x * width - 0.5, y * height - 0.5
    left, top = np.floor(column).astype(int), np.floor(row).astype(int)
    total = np.zeros((*grid.shape[:-2], len(x)))
    for r in (top, top + 1):
        for c in (left, left + 1):
            share = (1 - np.abs(row - r)) * (1 - np.abs(column - c))
            inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
            total += np.where(inside, share, 0.0) * grid[..., np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)]
    return total


def sequence(maps: np.ndarray) -> np.ndarray:
    """Turn (B, d, h, w) into (B, h·w, d), row by row."""
    return maps.reshape(*maps.shape[:2], -1).swapaxes(1, 2)


def unsequence(tokens: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Turn (B, h·w, d) back into (B, d, h, w)."""
    return tokens.swapaxes(1, 2).reshape(tokens.shape[0], tokens.shape[2], *size)


def scaled_dot_product(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, heads: int, blocked: np.ndarray | None = None
) -> np.ndarray:
    """Attend with (B, Q, d), (B, K, d), (B, K, d); heads share the width, ``blocked`` (B, Q, K) gets no weight.

    A row that is blocked everywhere gives zeros.
    """
    parts = []
    size = query.shape[-1] // heads
    for head in range(heads):
        own = slice(head * size, (head + 1) * size)
        scores = query[..., own] @ key[..., own].swapaxes(1, 2) / math.sqrt(size)
        powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
        if blocked is not None:
            scores = np.where(blocked, -np.inf, scores)
            best = scores.max(axis=-1, keepdims=True)
            powers = np.exp(scores - np.where(np.isfinite(best), best, 0.0))
        total = powers.sum(axis=-1, keepdims=True)
        parts.append(powers / np.where(total > 0, total, 1.0) @ value[..., own])
    return np.concatenate(parts, axis=-1)


def multi_head_attention(
    query: np.ndarray,
    key: np.ndarray,
    value: np.ndarray,
    weights: Weights,
    heads: int,
    blocked: np.ndarray | None = None,
) -> np.ndarray:
    """Project by the three thirds of ``in_proj``, attend, project by ``out_proj`` (§6)."""
    thirds = zip(np.split(weights["in_proj_weight"], 3), np.split(weights["in_proj_bias"], 3), strict=True)
    projected = [
        linear(x, {"weight": weight, "bias": bias})
        for x, (weight, bias) in zip((query, key, value), thirds, strict=True)
    ]
    return linear(scaled_dot_product(*projected, heads, blocked), under(weights, "out_proj"))


def sine_position(width: int, size: tuple[int, int]) -> np.ndarray:
    """Return (width, h, w): half the channels for y, half for x, sine and cosine in turn (§5).

    A coordinate counts pixels from 1 (a cumulative sum of ones), is divided by its last value + 1e-6 and times 2π.
    """
    height, columns = size
    half = width // 2
    y = np.cumsum(np.ones(height)) / (height + 1e-6) * 2 * math.pi
    x = np.cumsum(np.ones(columns)) / (columns + 1e-6) * 2 * math.pi
    position = np.zeros((width, height, columns))
    for channel in range(half):
        wave = np.sin if channel % 2 == 0 else np.cos
        frequency = 10000 ** (2 * (channel // 2) / half)
        position[channel] = wave(y / frequency)[:, None]
        position[half + channel] = wave(x / frequency)[None, :]
    return position
