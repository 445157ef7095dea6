"""ToyWorld scenes from a seed: an image, the exact segment id of every pixel, and the list of segments.

A directional light, shadows, occlusion, jittered colours, uneven surfaces and sensor noise: a colour threshold neither
segments a thing nor classifies it. The levels of :mod:`frozenseg.toyworld.difficulty` add to
that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from frozenseg.toyworld import textures
from frozenseg.toyworld.categories import Category
from frozenseg.toyworld.difficulty import EASIEST, Difficulty
from frozenseg.toyworld.looks import Spot, draw_look, stain_ground
from frozenseg.toyworld.things import Light, PlacedThing, paint_thing, place_thing

WORLD_WIDTH = 128.0  # world units across the shorter side: textures keep their look at any size
MIN_VISIBLE_PIXELS = 16
MIN_VISIBLE_SHARE = 0.45  # of each thing's area, so that its shape can be recognised
MIN_MATERIAL_SHARE = 0.06  # of the image
MAX_TRIES = 30


class SceneSegment(NamedTuple):
    """One segment of a scene: its id in the id map and its category."""

    id: int
    category: Category


@dataclass(frozen=True)
class Scene:
    """An image with its annotation.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        ids: (H, W) int32, the segment id of each pixel; every pixel has one.
        segments: one for each id in ``ids``.
    """

    image: np.ndarray
    ids: np.ndarray
    segments: tuple[SceneSegment, ...]


class Cast(NamedTuple):
    """Categories of a scene: materials, ground first, and things, farthest first."""

    materials: tuple[Category, ...]
    things: tuple[Category, ...]


def draw_cast(
    rng: np.random.Generator,
    categories: Sequence[Category],
    unseen_share: float = 0.6,
    difficulty: Difficulty = EASIEST,
) -> Cast:
    """Choose 1-3 materials, and things: 2-8 in the easiest world.

    Args:
        rng: random generator of the scene.
        categories: to choose from; materials do not repeat, things may.
        unseen_share: probability of an unseen category where ``categories`` has unseen ones, 0-1.
        difficulty: range of the number of things.
    """
    materials = [category for category in categories if not category.isthing]
    things = [category for category in categories if category.isthing]
    chosen: list[Category] = []
    for _ in range(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2])):
        chosen.append(_draw(rng, [material for material in materials if material not in chosen], unseen_share))
    fewest, most = difficulty.things
    count = rng.integers(fewest, most + 1)
    return Cast(tuple(chosen), tuple(_draw(rng, things, unseen_share) for _ in range(count)))


def render_scene(
    rng: np.random.Generator, cast: Cast, height: int = 128, width: int = 128, difficulty: Difficulty = EASIEST
) -> Scene:
    """Paint a scene.

    Args:
        rng: random generator of the scene; the same state gives the same scene.
        cast: categories; a thing without room, or that would hide another, is left out.
        height: of the image, pixels.
        width: of the image, pixels.
        difficulty: shares of hard things and strength of hard light.
    """
    light = Light.draw(rng)
    colours, layers, materials = _lay_ground(rng, cast.materials, height, width)
    placed: list[PlacedThing] = []
    for category in cast.things:
        thing = _place_visibly(rng, category, layers, placed, len(materials), difficulty)
        if thing is not None:
            layers = thing.cover(layers, len(materials) + len(placed))
            placed.append(thing)
    spots = [(thing.category.parts["colour"], Spot(*thing.centre, thing.radius)) for thing in placed]
    stains = stain_ground(rng, colours, spots, difficulty)
    for thing, stain in zip(placed, stains, strict=True):
        paint_thing(rng, colours, thing, light, draw_look(rng, thing.category.parts["colour"], difficulty, stain))
    members = materials + tuple(thing.category for thing in placed)
    numbers = _draw_ids(rng, len(members))
    segments = tuple(SceneSegment(int(number), member) for number, member in zip(numbers, members, strict=True))
    return Scene(_expose(rng, colours, light, difficulty), numbers[layers].astype(np.int32), segments)


def _draw(rng: np.random.Generator, categories: Sequence[Category], unseen_share: float) -> Category:
    unseen = [category for category in categories if category.tier != "seen"]
    seen = [category for category in categories if category.tier == "seen"]
    pool = unseen if unseen and (not seen or rng.random() < unseen_share) else seen
    return pool[rng.integers(len(pool))]


def _lay_ground(
    rng: np.random.Generator, materials: Sequence[Category], height: int, width: int
) -> tuple[np.ndarray, np.ndarray, tuple[Category, ...]]:
    """Paint the materials side by side, each over those before it, along a wavy, soft border.

    Returns:
        Colours (H, W, 3) float32, the index of the topmost material (H, W) int64, and the materials that had room.
    """
    scale = WORLD_WIDTH / min(height, width)
    down, right = np.mgrid[0:height, 0:width].astype(np.float32) * np.float32(scale)  # (H, W) each
    colours = _paint_material(rng, materials[0], right, down)
    layers = np.zeros((height, width), dtype=np.int64)
    used = [materials[0]]
    for material in materials[1:]:
        distance = _draw_border(rng, layers, right, down)
        if distance is None:
            continue
        cover = np.clip(distance / 1.5 + 0.5, 0, 1)[..., None]
        colours += cover * (_paint_material(rng, material, right, down) - colours)
        layers[distance >= 0] = len(used)
        used.append(material)
    return colours, layers, tuple(used)


def _draw_border(rng: np.random.Generator, layers: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray | None:
    """Return the distance to a wavy line that leaves enough of every material, in world units: (H, W) float32.

    None if no such line results from ``MAX_TRIES`` attempts.
    """
    enough = MIN_MATERIAL_SHARE * layers.size
    for _ in range(MAX_TRIES):
        angle = rng.uniform(0, 2 * np.pi)
        slope = np.cos(angle) * (x - x.mean()) + np.sin(angle) * (y - y.mean())
        waves = textures.smooth_noise(rng, layers.shape, 5, 5)
        distance = slope + rng.uniform(6, 16) * waves + rng.uniform(-35, 35)
        remaining = np.bincount(layers[distance < 0], minlength=int(layers.max()) + 1)
        if remaining.min() >= enough and np.count_nonzero(distance >= 0) >= enough:
            return distance
    return None


def _paint_material(rng: np.random.Generator, material: Category, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return a material's colours (H, W, 3) float32, turned, moved, scaled and tinted at random."""
    angle, zoom = rng.uniform(-0.5, 0.5), rng.uniform(0.85, 1.25)
    turn_x = np.float32(np.cos(angle) / zoom)
    turn_y = np.float32(np.sin(angle) / zoom)
    start_x, start_y = rng.uniform(0, 64, 2).astype(np.float32)
    u, v = turn_x * x - turn_y * y + start_x, turn_y * x + turn_x * y + start_y
    tint = rng.uniform(0.9, 1.1) * rng.uniform(0.94, 1.06, 3)
    return textures.MATERIAL_TEXTURES[material.parts["material"]](rng, u, v) * tint.astype(np.float32)


def _place_visibly(
    rng: np.random.Generator,
    category: Category,
    layers: np.ndarray,
    placed: Sequence[PlacedThing],
    first: int,
    difficulty: Difficulty,
) -> PlacedThing | None:
    """Place a thing so that enough of all that it covers stays visible; None if ``MAX_TRIES`` attempts fail.

    Args:
        rng: random generator of the scene.
        category: of the thing.
        layers: (H, W) index of the topmost material or thing.
        placed: the things placed before, numbered from ``first`` in ``layers``.
        first: the number of materials.
        difficulty: sizes and holes.
    """
    height, width = layers.shape
    needed = np.full(first + len(placed) + 1, MIN_MATERIAL_SHARE * layers.size * 0.5)
    needed[first:-1] = [max(MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE * thing.area) for thing in placed]
    for _ in range(MAX_TRIES):
        thing = place_thing(rng, category, height, width, difficulty)
        needed[-1] = max(MIN_VISIBLE_PIXELS, MIN_VISIBLE_SHARE * thing.area)
        visible = np.bincount(thing.cover(layers, len(needed) - 1).ravel(), minlength=len(needed))
        if np.all(visible >= needed):
            return thing
    return None


def _draw_ids(rng: np.random.Generator, count: int) -> np.ndarray:
    """Return distinct segment ids in 1 … 16 777 215, so that all three colour channels of the PNG are used."""
    numbers: list[int] = []
    while len(numbers) < count:
        number = int(rng.integers(1, 1 << 24))
        if number not in numbers:
            numbers.append(number)
    return np.array(numbers)


def _expose(rng: np.random.Generator, colours: np.ndarray, light: Light, difficulty: Difficulty) -> np.ndarray:
    """Light the scene unevenly, blur it, add sensor noise, and return (H, W, 3) uint8."""
    height, width = colours.shape[:2]
    down, right = np.linspace(-1, 1, height, dtype=np.float32), np.linspace(-1, 1, width, dtype=np.float32)
    toward = -(light.x * right[None, :] + light.y * down[:, None])  # (H, W), brightest where the light comes from
    brightness = light.brightness * (1 + light.falloff * toward)
    if difficulty.shade:
        brightness *= _draw_shade(rng, (height, width), difficulty.shade)
    if difficulty.blur:
        sigma = rng.uniform(0, difficulty.blur) * min(height, width) / WORLD_WIDTH
        colours = _blur(colours, sigma)
    noise = rng.standard_normal(colours.shape, dtype=np.float32) * np.float32(rng.uniform(0.008, 0.035))
    exposed = colours * (brightness[..., None] * light.tint) + noise
    return (np.clip(exposed, 0, 1) * 255 + 0.5).astype(np.uint8)


def _draw_shade(rng: np.random.Generator, shape: tuple[int, int], strength: float) -> np.ndarray:
    """Return the share of the light that soft shades leave, (H, W) float32, down to 1 − ``strength``."""
    shades = np.clip(0.5 + 2 * textures.smooth_noise(rng, shape, 4, 4), 0, 1)
    return 1 - np.float32(rng.uniform(0.4, 1) * strength) * shades


def _blur(colours: np.ndarray, sigma: float) -> np.ndarray:
    """Blur (H, W, 3) by a Gaussian with a standard deviation in pixels."""
    from scipy import ndimage  # slow to load, and not needed at level 0

    blurred: np.ndarray = ndimage.gaussian_filter(colours, (sigma, sigma, 0))
    return blurred
