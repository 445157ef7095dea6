"""Things of a scene: position, covered pixels, paint, light and shadow."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from frozenseg.toyworld.categories import Category
from frozenseg.toyworld.difficulty import EASIEST, Difficulty, happens
from frozenseg.toyworld.looks import Look
from frozenseg.toyworld.shapes import OUTLINES
from frozenseg.toyworld.textures import paint_pattern, smooth_noise

BAND = (0.2, 0.28)  # width of a hollow thing along its outline, in radii


class Light(NamedTuple):
    """Light of a scene.

    Attributes:
        x: of the unit vector in which the light travels.
        y: likewise; down is positive.
        brightness: factor of all colours.
        falloff: relative difference in brightness between the middle of the image and its lit side.
        tint: (3,) float32, factor of each colour channel.
    """

    x: float
    y: float
    brightness: float
    falloff: float
    tint: np.ndarray

    @classmethod
    def draw(cls, rng: np.random.Generator) -> "Light":
        """Draw a light at random, from above more often than from below."""
        angle = rng.uniform(0.1, 0.9) * np.pi if rng.random() < 0.8 else rng.uniform(-np.pi, 0)
        warmth = rng.uniform(-0.05, 0.05)
        tint = np.array([1 + warmth, 1, 1 - warmth], dtype=np.float32)
        return cls(
            float(np.cos(angle)), float(np.sin(angle)), float(rng.uniform(0.8, 1.1)), float(rng.uniform(0, 0.3)), tint
        )


@dataclass(frozen=True)
class PlacedThing:
    """A thing in the image.

    Attributes:
        category: of the thing.
        radius: pixels.
        centre: x and y, pixels.
        window: rows and columns of the image that it and its shadow cover.
        x: (h, w) float32 over the window, coordinates in the frame of the thing, where its radius is 1.
        y: likewise.
        distance: (h, w) float32 over the window, distance to the outline in pixels, negative inside.
    """

    category: Category
    radius: float
    centre: tuple[float, float]
    window: tuple[slice, slice]
    x: np.ndarray
    y: np.ndarray
    distance: np.ndarray

    @property
    def area(self) -> int:
        """Number of covered pixels of the image, those under other things included."""
        return int(np.count_nonzero(self.distance < 0))

    def cover(self, layers: np.ndarray, number: int) -> np.ndarray:
        """Return a copy of the (H, W) layers in which this thing is on top as ``number``."""
        covered = layers.copy()
        covered[self.window][self.distance < 0] = number
        return covered


def place_thing(
    rng: np.random.Generator, category: Category, height: int, width: int, difficulty: Difficulty = EASIEST
) -> PlacedThing:
    """Draw a position, a size and a rotation, and whether the thing is hollow.

    Args:
        rng: random generator of the scene.
        category: of the thing.
        height: of the image, pixels.
        width: of the image, pixels.
        difficulty: range of the radius, and share of hollow things.
    """
    radius = rng.uniform(*difficulty.radii) * min(height, width)
    margin = 0.6 * radius
    centre_x, centre_y = rng.uniform(margin, width - margin), rng.uniform(margin, height - margin)
    reach = 1.5 * radius + 2  # the outline is within 1.1 radii, its shadow a little further
    rows = slice(max(0, int(centre_y - reach)), min(height, int(centre_y + reach) + 1))
    columns = slice(max(0, int(centre_x - reach)), min(width, int(centre_x + reach) + 1))
    down, right = np.mgrid[rows, columns].astype(np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    x, y = _turn((right - centre_x) / radius, (down - centre_y) / radius, angle)
    distance = (OUTLINES[category.parts["shape"]](x, y) * radius).astype(np.float32)
    if not category.parts["pattern"] and happens(rng, difficulty.hollow):
        half = np.float32(0.5 * rng.uniform(*BAND) * radius)
        distance = np.abs(distance + half) - half
    return PlacedThing(category, float(radius), (float(centre_x), float(centre_y)), (rows, columns), x, y, distance)


def paint_thing(rng: np.random.Generator, colours: np.ndarray, thing: PlacedThing, light: Light, look: Look) -> None:
    """Paint a thing and its shadow into (H, W, 3) float32 ``colours``, in place."""
    canvas = colours[thing.window]  # a view
    canvas *= 1 - look.opacity * _shadow(thing, light)[..., None]
    cover = look.opacity * np.clip(0.5 - thing.distance, 0, 1)[..., None]  # antialiased: one pixel wide
    canvas += cover * (_surface(rng, thing, light, look) - canvas)


def _turn(x: np.ndarray, y: np.ndarray, angle: float) -> tuple[np.ndarray, np.ndarray]:
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return (cosine * x + sine * y).astype(np.float32), (cosine * y - sine * x).astype(np.float32)


def _shadow(thing: PlacedThing, light: Light) -> np.ndarray:
    """Return the share by which the thing's shadow darkens each pixel: (h, w) float32, 0-1."""
    far = 0.18 * thing.radius
    height, width = thing.distance.shape
    rows = np.clip(np.arange(height) - round(light.y * far), 0, height - 1)
    columns = np.clip(np.arange(width) - round(light.x * far), 0, width - 1)
    moved = thing.distance[np.ix_(rows, columns)]
    return 0.45 * np.clip(0.5 - moved / (0.30 * thing.radius), 0, 1)


def _surface(rng: np.random.Generator, thing: PlacedThing, light: Light, look: Look) -> np.ndarray:
    """Return the colours of the thing under the light, (h, w, 3) float32."""
    base, second = look.paints
    if look.part is not None:
        is_part = look.part.covers(thing.x, thing.y, thing.distance < 0)
        base = np.where(is_part[..., None], look.part.paint, base)
    amount = paint_pattern(thing.category.parts["pattern"], thing.x, thing.y, float(rng.random()))[..., None]
    paint = base + amount * (second - base)
    shape = thing.distance.shape
    wear = 0.10 * smooth_noise(rng, shape, 6, 6) + 0.06 * rng.standard_normal(shape, dtype=np.float32)
    fall_y, fall_x = np.gradient(thing.distance)
    toward = -(fall_x * light.x + fall_y * light.y)  # 1 on edges that face the light
    edge = np.clip(1 + thing.distance / (0.28 * thing.radius), 0, 1)  # 1 at the outline, 0 on the flat inside
    relief = 0.32 * edge * toward
    return paint * (1 + wear + relief)[..., None]
