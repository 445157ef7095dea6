"""Colours of classes: maximally different from each other, and the same in every image.

Colours are chosen by farthest-point sampling in OKLab (Ottosson, 2020), a perceptually uniform colour space. Each new
colour is the candidate that is farthest from all colours before it, so the first n colours do not depend on the number
of classes. A class with a colour word in its name ("red heart") gets a shade of that colour.

Letters: N colours.
"""

import colorsys
import functools
import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Colour = tuple[int, int, int]

LIGHTNESS = (0.56, 0.66, 0.76, 0.86)  # neither black nor white, so that the image under an overlay stays visible
CHROMA = (0.09, 0.14, 0.19)  # no greys
HUES = 36
FIRST = 20  # index of the first colour in the grid: a deep teal
MIN_DISTANCE = 0.08  # OKLab distance between colours of classes without and with a colour word
SHADES = (0.0, 0.3, -0.25, 0.5, -0.45)  # fraction of white (positive) or black (negative) in each shade of a colour
HUE_TURNS = (0.0, 0.04, -0.04, 0.08, -0.08)  # of the full circle, for more segments of a class than shades
# OKLab → cube roots of cone responses → linear sRGB
LAB_TO_CONES = np.array(
    [[1.0, 0.3963377774, 0.2158037573], [1.0, -0.1055613458, -0.0638541728], [1.0, -0.0894841775, -1.2914855480]]
)
CONES_TO_RGB = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
)


class _Range(NamedTuple):
    """Range of the colours of a colour word, in polar OKLab: lightness (0-1), chroma, and hue (degrees)."""

    lightness: tuple[float, float]
    chroma: tuple[float, float]
    hue: tuple[float, float]


_GREY = _Range((0.50, 0.76), (0.0, 0.0), (0, 0))
_GREEN = _Range((0.50, 0.82), (0.12, 0.20), (136, 152))
_PURPLE = _Range((0.44, 0.64), (0.13, 0.21), (296, 314))
_TEAL = _Range((0.60, 0.84), (0.08, 0.12), (184, 204))
COLOUR_WORDS = {
    "red": _Range((0.50, 0.64), (0.17, 0.22), (20, 30)),
    "orange": _Range((0.66, 0.78), (0.14, 0.17), (50, 66)),
    "brown": _Range((0.36, 0.50), (0.06, 0.10), (46, 64)),
    "gold": _Range((0.74, 0.84), (0.12, 0.15), (80, 90)),
    "golden": _Range((0.74, 0.84), (0.12, 0.15), (80, 90)),
    "yellow": _Range((0.84, 0.93), (0.12, 0.18), (96, 108)),
    "green": _GREEN,
    "teal": _TEAL,
    "turquoise": _TEAL,
    "cyan": _TEAL,
    "blue": _Range((0.44, 0.68), (0.12, 0.20), (250, 266)),
    "purple": _PURPLE,
    "violet": _PURPLE,
    "magenta": _Range((0.60, 0.70), (0.20, 0.25), (324, 336)),
    "pink": _Range((0.72, 0.84), (0.10, 0.15), (350, 366)),
    "white": _Range((0.92, 1.00), (0.0, 0.0), (0, 0)),
    "silver": _GREY,
    "grey": _GREY,
    "gray": _GREY,
    "black": _Range((0.16, 0.34), (0.0, 0.0), (0, 0)),
}


def vocabulary_colours(names: Sequence[str]) -> list[Colour]:
    """Return an RGB colour (0-255) for each class name; the same names get the same colours.

    Names with a colour word get distinct shades of that colour. The other names get colours of a palette
    that differ from those shades; the palette has 250 colours, then it repeats.
    """
    return list(_colours_of(tuple(names)))


@functools.lru_cache(maxsize=16)
def _colours_of(names: tuple[str, ...]) -> tuple[Colour, ...]:
    colour_words = [_colour_word(name) for name in names]
    chosen: dict[int, np.ndarray] = {}
    distances = {word: np.full(len(_shades_of(word)), np.inf) for word in set(colour_words) if word}  # to any chosen
    for index, word in enumerate(colour_words):
        if word:
            chosen[index] = _shades_of(word)[distances[word].argmax()]  # the first one where nothing is chosen
            for other, distance in distances.items():
                np.minimum(distance, np.linalg.norm(_shades_of(other) - chosen[index], axis=-1), out=distance)
    others = _palette()
    if chosen:
        distance = np.linalg.norm(others[:, None] - np.stack(list(chosen.values())), axis=-1).min(axis=1)
        others = others[distance > MIN_DISTANCE] if (distance > MIN_DISTANCE).any() else others
    for order, index in enumerate(index for index, word in enumerate(colour_words) if not word):
        chosen[index] = others[order % len(others)]
    return tuple(_encoded(chosen[index]) for index in range(len(names)))


def shade(colour: Colour, index: int) -> Colour:
    """Return a shade of a colour, so that segments of one class differ; 0 is the colour itself.

    After ``SHADES`` light and dark ones follow those of neighbouring hues, then they repeat.
    """
    turn = HUE_TURNS[index // len(SHADES) % len(HUE_TURNS)]
    if turn:
        hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in colour))
        turned = colorsys.hls_to_rgb((hue + turn) % 1, lightness, saturation)
        red, green, blue = (round(255 * value) for value in turned)
        colour = red, green, blue
    share = SHADES[index % len(SHADES)]
    target = 255 if share > 0 else 0
    red, green, blue = (round(value + abs(share) * (target - value)) for value in colour)
    return red, green, blue


def _colour_word(name: str) -> str:
    """Return the first colour word of a name; empty if it has none."""
    return next((word for word in re.findall(r"[a-z]+", name.lower()) if word in COLOUR_WORDS), "")


@functools.cache
def _palette() -> np.ndarray:
    """Return the palette by farthest-point sampling, in order of selection, OKLab, (N, 3)."""
    lab = _grid(np.array(LIGHTNESS), np.array(CHROMA), np.arange(HUES) * 2 * np.pi / HUES)
    order = [FIRST]
    distance = np.linalg.norm(lab - lab[FIRST], axis=1)
    while len(order) < len(lab):
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(lab - lab[order[-1]], axis=1))
        distance[order] = -1
    return lab[order]


@functools.cache
def _shades_of(word: str) -> np.ndarray:
    """Return the shades of a colour word, the most typical one first, OKLab, (N, 3)."""
    lightness, chroma, hue = (np.linspace(*limits, 4) for limits in COLOUR_WORDS[word])
    lab = _grid(lightness, chroma, np.deg2rad(hue))
    lab = np.unique(lab.round(6), axis=0)  # greys have one hue
    return lab[np.linalg.norm(lab - lab.mean(axis=0), axis=1).argsort(kind="stable")]


def _grid(lightness: np.ndarray, chroma: np.ndarray, hue: np.ndarray) -> np.ndarray:
    """Return the colours of a grid in polar OKLab (hue in radians) that a screen can show, OKLab, (N, 3)."""
    light, strength, angle = np.meshgrid(lightness, chroma, hue, indexing="ij")
    lab = np.stack([light, strength * np.cos(angle), strength * np.sin(angle)], axis=-1).reshape(-1, 3)
    rgb = _linear_rgb(lab)
    return lab[((rgb >= -1e-6) & (rgb <= 1 + 1e-6)).all(axis=1)]


def _linear_rgb(lab: np.ndarray) -> np.ndarray:
    return (lab @ LAB_TO_CONES.T) ** 3 @ CONES_TO_RGB.T


def _encoded(lab: np.ndarray) -> Colour:
    """Return an OKLab colour (3,) as sRGB, 0-255."""
    rgb = _linear_rgb(lab).clip(0, 1)
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055)
    red, green, blue = np.rint(255 * encoded).astype(int).tolist()
    return red, green, blue
