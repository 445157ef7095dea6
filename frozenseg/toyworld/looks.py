"""Looks of things: paints, a part in another colour, and opacity; and stains of the ground that camouflage a thing."""

import colorsys
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from frozenseg.toyworld.categories import COLOURS
from frozenseg.toyworld.difficulty import Difficulty, happens
from frozenseg.toyworld.textures import smooth_noise

OPACITIES = (0.6, 0.8)  # range of a transparent thing
PART_SHARE = (0.2, 0.4)  # of the thing's pixels that are in another colour
STAIN_REACH = (1.7, 2.4)  # radius of the stain under a camouflaged thing, in radii of the thing
DECOY_RADIUS = (0.13, 0.3)  # of a stain without a thing, as a share of the image's shorter side
STAIN_CONTRAST = 0.9  # of the ground's texture inside a stain, relative to that outside


class Paints(NamedTuple):
    """Colours of a thing, (3,) float32 each.

    Attributes:
        base: the colour of its name.
        second: of its pattern, pale or dark.
    """

    base: np.ndarray
    second: np.ndarray


class Part(NamedTuple):
    """The points of a thing on one side of a line, in another colour.

    Attributes:
        x: of the unit vector across the line, in the frame of the thing.
        y: likewise.
        share: of the thing's pixels.
        paint: (3,) float32.
    """

    x: float
    y: float
    share: float
    paint: np.ndarray

    def covers(self, x: np.ndarray, y: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Return the points that belong to the part, (h, w) bool.

        Args:
            x: (h, w) float32, points in the frame of the thing.
            y: likewise.
            inside: (h, w) bool, True inside the thing.
        """
        across = self.x * x + self.y * y
        is_part: np.ndarray = across > np.quantile(across[inside], 1 - self.share)
        return is_part


class Look(NamedTuple):
    """Paints, the part in another colour (None for none), and the opacity, 0-1."""

    paints: Paints
    part: Part | None = None
    opacity: float = 1.0


class Spot(NamedTuple):
    """Centre and radius of a place in the image, pixels."""

    x: float
    y: float
    radius: float


def draw_paints(rng: np.random.Generator, colour: str) -> Paints:
    """Draw the jittered colour of a name and the second colour of a pattern."""
    hue, saturation, value = COLOURS[colour]
    hue = (hue + rng.uniform(-0.018, 0.018)) % 1
    saturation = float(np.clip(saturation + rng.uniform(-0.15, 0.1), 0, 1))
    value = float(np.clip(value + rng.uniform(-0.15, 0.08), 0, 1))
    base = np.array(colorsys.hsv_to_rgb(hue, saturation, value), dtype=np.float32)
    second = 0.2 * base + np.float32(0.75) if rng.random() < 0.6 else 0.22 * base
    return Paints(base, second.astype(np.float32))


def draw_look(rng: np.random.Generator, colour: str, difficulty: Difficulty, stain: Paints | None = None) -> Look:
    """Draw the look of a thing.

    Args:
        rng: random generator of the scene.
        colour: of the thing's name.
        difficulty: shares of two-coloured and of transparent things.
        stain: paints of a camouflaged thing, which is opaque; None for any other.
    """
    paints = stain or draw_paints(rng, colour)
    part = _draw_part(rng, colour) if happens(rng, difficulty.two_coloured) else None
    is_transparent = stain is None and happens(rng, difficulty.transparent)
    return Look(paints, part, float(rng.uniform(*OPACITIES)) if is_transparent else 1.0)


def stain_ground(
    rng: np.random.Generator,
    colours: np.ndarray,
    things: Sequence[tuple[str, Spot]],
    difficulty: Difficulty,
) -> list[Paints | None]:
    """Stain the ground under some things in the same colour, and in other places; the ground's texture remains.

    Args:
        rng: random generator of the scene.
        colours: (H, W, 3) float32 of the ground; changed in place.
        things: colour of the name, and place, of each thing.
        difficulty: share of camouflaged things and largest number of decoys.

    Returns:
        For each thing its paints, if it is camouflaged, else None.
    """
    ground = colours.copy()  # the texture below overlapping stains
    for _ in range(rng.integers(difficulty.decoys + 1) if difficulty.decoys else 0):
        height, width = colours.shape[:2]
        radius = rng.uniform(*DECOY_RADIUS) * min(height, width)
        spot = Spot(float(rng.uniform(0, width)), float(rng.uniform(0, height)), float(radius))
        _stain(rng, colours, ground, draw_paints(rng, _draw_colour(rng)).base, spot)
    stains: list[Paints | None] = []
    for colour, spot in things:
        paints = draw_paints(rng, colour) if happens(rng, difficulty.camouflage) else None
        if paints is not None:
            reach = float(rng.uniform(*STAIN_REACH)) * spot.radius
            _stain(rng, colours, ground, paints.base, spot._replace(radius=reach))
        stains.append(paints)
    return stains


def _stain(rng: np.random.Generator, colours: np.ndarray, ground: np.ndarray, paint: np.ndarray, spot: Spot) -> None:
    """Stain a wavy spot of ``colours`` (H, W, 3), in place, with a paint in the texture of ``ground`` (H, W, 3)."""
    height, width = colours.shape[:2]
    down, right = np.mgrid[0:height, 0:width].astype(np.float32)
    distance = (
        np.hypot(right - spot.x, down - spot.y) / spot.radius - 1 + 0.3 * smooth_noise(rng, (height, width), 6, 6)
    )
    amount = np.clip(0.5 - distance / 0.2, 0, 1)[..., None]
    if not amount.any():
        return
    grey = ground.mean(axis=-1, keepdims=True)
    relative = grey / np.average(grey, weights=amount) - 1
    colours += amount * (paint * np.clip(1 + STAIN_CONTRAST * relative, 0, 2) - colours)


def _draw_part(rng: np.random.Generator, colour: str) -> Part:
    angle = rng.uniform(0, 2 * np.pi)
    paint = draw_paints(rng, _draw_colour(rng, other_than=colour)).base
    return Part(float(np.cos(angle)), float(np.sin(angle)), float(rng.uniform(*PART_SHARE)), paint)


def _draw_colour(rng: np.random.Generator, other_than: str = "") -> str:
    colours = [colour for colour in COLOURS if colour != other_than]
    return colours[rng.integers(len(colours))]
