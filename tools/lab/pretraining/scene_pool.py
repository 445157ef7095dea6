"""The pictures that ToyWorld's foundation models learn from: scenes with every combination of its words.

Letters: S scenes, V views, H×W the picture.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from frozenseg.log import progress
from frozenseg.parallel import run_tasks
from frozenseg.toyworld.categories import COLOURS, Category, wide_categories
from frozenseg.toyworld.scenes import draw_cast, render_scene

WORLD = 7001  # keeps the scenes apart from those of ToyWorld's own splits, whatever the seed
CHUNK = 64  # scenes that a process makes at a time
PLAIN = 3  # times that a plain thing is as frequent as a striped, dotted or checkered one
TRIES, SIDES = 6, (20, 56)  # windows that are tried for a material, and their sides in pixels
VIEW_SIDES = (56, 128)  # of a view of several things
MIRRORED = 0.5  # how often a scene is mirrored along an axis
MOSTLY = 0.8  # share of a window that a material covers, or of a thing that a view shows


class View(NamedTuple):
    """A part of a scene that a sentence can describe."""

    scene: int
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels
    shown: tuple[Category, ...]  # the things and materials that it shows


@dataclass(frozen=True)
class ScenePool:
    """Scenes in memory.

    Attributes:
        images: (S, 3, H, W) uint8 RGB.
        layers: (S, H, W) uint8, the number of each pixel's segment in its scene.
        segments: the categories of each scene's segments, by number.
        things: a view around each thing, by the thing's colour.
        materials: views of one material each.
        scenes: views of several things.
    """

    images: Tensor
    layers: Tensor
    segments: tuple[tuple[Category, ...], ...]
    things: dict[str, tuple[View, ...]]
    materials: tuple[View, ...]
    scenes: tuple[View, ...]


def paint_pool(seed: int, count: int, workers: int = 1) -> ScenePool:
    """Paint scenes with things of every colour, pattern and shape on every material.

    Args:
        seed: the same seed gives the same scenes, whatever the number of processes.
        count: scenes, S.
        workers: processes.
    """
    tasks = [(seed, first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    painted = dict(progress(run_tasks(_paint, tasks, workers), "painting scenes (64 each)", len(tasks)))
    parts = [painted[place] for place in range(len(tasks))]
    views = [view for part in parts for view in part.views]
    things: dict[str, list[View]] = {}
    for kind, view in views:
        if kind == "thing":
            things.setdefault(view.shown[0].parts["colour"], []).append(view)
    return ScenePool(
        images=torch.from_numpy(np.concatenate([part.images for part in parts])),
        layers=torch.from_numpy(np.concatenate([part.layers for part in parts])),
        segments=tuple(segments for part in parts for segments in part.segments),
        things={colour: tuple(things[colour]) for colour in COLOURS if colour in things},
        materials=tuple(view for kind, view in views if kind == "material"),
        scenes=tuple(view for kind, view in views if kind == "scene"),
    )


class _Painted(NamedTuple):
    images: np.ndarray
    layers: np.ndarray
    segments: list[tuple[Category, ...]]
    views: list[tuple[str, View]]


def _paint(seed: int, first: int, end: int) -> _Painted:
    categories = [
        category for category in wide_categories() for _ in range(1 if category.parts.get("pattern") else PLAIN)
    ]
    images, layers, segments, views = [], [], [], []
    for number in range(first, end):
        rng = np.random.default_rng([seed, WORLD, number])
        scene = render_scene(rng, draw_cast(rng, categories))
        numbers = np.zeros(scene.ids.shape, dtype=np.uint8)
        for index, segment in enumerate(scene.segments):
            numbers[scene.ids == segment.id] = index
        images.append(scene.image.transpose(2, 0, 1))
        layers.append(numbers)
        segments.append(tuple(segment.category for segment in scene.segments))
        views += _views(rng, number, numbers, segments[-1])
    return _Painted(np.stack(images), np.stack(layers), segments, views)


def flipped(rng: np.random.Generator, image: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
    """Mirror an image (3, H, W) and its layers (H, W) at random, along each axis."""
    for axis in (-2, -1):
        if rng.random() < MIRRORED:
            image, layers = image.flip(axis), layers.flip(axis)
    return image, layers


def _views(
    rng: np.random.Generator, scene: int, layers: np.ndarray, categories: Sequence[Category]
) -> list[tuple[str, View]]:
    """Return what can be described of a scene: each thing, windows of a material, windows of several things."""
    found: list[tuple[str, View]] = []
    for index, category in enumerate(categories):
        if category.isthing:
            rows, columns = np.nonzero(layers == index)
            box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
            found.append(("thing", View(scene, box, (category,))))
            continue
        for _ in range(TRIES):
            x0, y0, side = _draw_window(rng, layers.shape, SIDES)
            if np.mean(layers[y0 : y0 + side, x0 : x0 + side] == index) >= MOSTLY:
                box = (float(x0), float(y0), float(x0 + side), float(y0 + side))
                found.append(("material", View(scene, box, (category,))))
    areas = np.bincount(layers.ravel(), minlength=len(categories))
    for _ in range(2):
        x0, y0, side = _draw_window(rng, layers.shape, VIEW_SIDES)
        shown = np.bincount(layers[y0 : y0 + side, x0 : x0 + side].ravel(), minlength=len(categories))
        visible = tuple(
            category
            for category, whole, here in zip(categories, areas, shown, strict=True)
            if here >= (MOSTLY * whole if category.isthing else (1 - MOSTLY) * side**2)
        )
        if visible:
            box = (float(x0), float(y0), float(x0 + side), float(y0 + side))
            found.append(("scene", View(scene, box, visible)))
    return found


def _draw_window(rng: np.random.Generator, shape: tuple[int, ...], sides: tuple[int, int]) -> tuple[int, int, int]:
    """Return left, top and side of a square window, pixels."""
    side = int(rng.integers(sides[0], sides[1] + 1))
    return int(rng.integers(0, shape[1] - side + 1)), int(rng.integers(0, shape[0] - side + 1)), side
