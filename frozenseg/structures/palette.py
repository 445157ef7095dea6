"""Colours for classes: as different from each other as a screen allows, and the same in every picture.

Colours are chosen in OKLab (Ottosson, 2020), where distance is what the eye sees, each as far as possible from those
before it. So the first n colours do not depend on how many there are.
"""

import functools

import numpy as np

Colour = tuple[int, int, int]

LIGHTNESS = (0.56, 0.66, 0.76, 0.86)  # neither black nor white, so that the picture below shows through
CHROMA = (0.09, 0.14, 0.19)  # no greys
HUES = 36
FIRST = 20  # entry with which the choice begins: a deep teal
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


def class_colour(index: int) -> Colour:
    """Return the RGB colour (0-255) of a class, by its place in the vocabulary; hundreds differ, then they repeat."""
    colours = _palette()
    return colours[index % len(colours)]


@functools.cache
def _palette() -> tuple[Colour, ...]:
    lab = _candidates()  # (n, 3)
    rgb = _linear_rgb(lab)
    shown = ((rgb >= 0) & (rgb <= 1)).all(axis=1)
    lab, rgb = lab[shown], rgb[shown]
    order = [FIRST]
    distance = np.linalg.norm(lab - lab[FIRST], axis=1)
    while len(order) < len(lab):
        order.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(lab - lab[order[-1]], axis=1))
        distance[order] = -1
    encoded = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb.clip(0) ** (1 / 2.4) - 0.055)
    return tuple((int(red), int(green), int(blue)) for red, green, blue in np.rint(255 * encoded[order]))


def _candidates() -> np.ndarray:
    lightness, chroma, turn = np.meshgrid(LIGHTNESS, CHROMA, np.arange(HUES) * 2 * np.pi / HUES, indexing="ij")
    return np.stack([lightness, chroma * np.cos(turn), chroma * np.sin(turn)], axis=-1).reshape(-1, 3)


def _linear_rgb(lab: np.ndarray) -> np.ndarray:
    return (lab @ LAB_TO_CONES.T) ** 3 @ CONES_TO_RGB.T
