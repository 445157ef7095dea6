"""Training scenes of the pretraining, with all combinations of ToyWorld's words.

Letters: S scenes, H×W image size.
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

WORLD = 7001  # part of the seed, so that no scene is in one of ToyWorld's splits
CHUNK = 64  # scenes per task of a process
PLAIN = 3  # a plain thing is this many times as frequent as one with a certain pattern
TRIES, WINDOW_SIZES = 6, (20, 56)  # windows tried per material, and the range of their sizes in pixels
VIEW_SIZES = (56, 128)  # range of the sizes of views of several things, pixels
MIRRORED = 0.5  # probability of mirroring a scene along an axis
VISIBLE = 0.8  # least share of a window that a material covers, and of a thing inside a view


class View(NamedTuple):
    """A part of a scene that a sentence can describe."""

    scene: int
    box: tuple[float, float, float, float]  # x0, y0, x1, y1 in pixels
    visible: tuple[Category, ...]  # its things and materials


@dataclass(frozen=True)
class ScenePool:
    """Rendered scenes in memory.

    Attributes:
        images: (S, 3, H, W) uint8 RGB.
        layers: (S, H, W) uint8, segment index of each pixel.
        segments: for each scene, the categories of its segments.
        things: views of one thing each, by the colour of the thing.
        materials: views of one material each.
        scenes: views of several things.
    """

    images: Tensor
    layers: Tensor
    segments: tuple[tuple[Category, ...], ...]
    things: dict[str, tuple[View, ...]]
    materials: tuple[View, ...]
    scenes: tuple[View, ...]


def render_pool(seed: int, count: int, workers: int = 1) -> ScenePool:
    """Render scenes with things of all colours, patterns and shapes on all materials.

    Args:
        seed: the same seed gives the same scenes with any number of processes.
        count: S.
        workers: processes.
    """
    tasks = [(seed, first, min(first + CHUNK, count)) for first in range(0, count, CHUNK)]
    rendered = dict(progress(run_tasks(_render, tasks, workers), "rendering scenes (64 each)", len(tasks)))
    parts = [rendered[index] for index in range(len(tasks))]
    views = [view for part in parts for view in part.views]
    things: dict[str, list[View]] = {}
    for kind, view in views:
        if kind == "thing":
            things.setdefault(view.visible[0].parts["colour"], []).append(view)
    return ScenePool(
        images=torch.from_numpy(np.concatenate([part.images for part in parts])),
        layers=torch.from_numpy(np.concatenate([part.layers for part in parts])),
        segments=tuple(segments for part in parts for segments in part.segments),
        things={colour: tuple(things[colour]) for colour in COLOURS if colour in things},
        materials=tuple(view for kind, view in views if kind == "material"),
        scenes=tuple(view for kind, view in views if kind == "scene"),
    )


class _Rendered(NamedTuple):
    images: np.ndarray
    layers: np.ndarray
    segments: list[tuple[Category, ...]]
    views: list[tuple[str, View]]


def _render(seed: int, first: int, end: int) -> _Rendered:
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
    return _Rendered(np.stack(images), np.stack(layers), segments, views)


def flipped(rng: np.random.Generator, image: Tensor, layers: Tensor) -> tuple[Tensor, Tensor]:
    """Return an image (3, H, W) and its layers (H, W), mirrored at random along each axis."""
    for axis in (-2, -1):
        if rng.random() < MIRRORED:
            image, layers = image.flip(axis), layers.flip(axis)
    return image, layers


def _views(
    rng: np.random.Generator, scene: int, layers: np.ndarray, categories: Sequence[Category]
) -> list[tuple[str, View]]:
    """Return the views of a scene with their kinds: each thing, windows of a material, windows of several things."""
    views: list[tuple[str, View]] = []
    for index, category in enumerate(categories):
        if category.isthing:
            rows, columns = np.nonzero(layers == index)
            box = (float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1))
            views.append(("thing", View(scene, box, (category,))))
            continue
        for _ in range(TRIES):
            x0, y0, side = _draw_window(rng, layers.shape, WINDOW_SIZES)
            if np.mean(layers[y0 : y0 + side, x0 : x0 + side] == index) >= VISIBLE:
                box = (float(x0), float(y0), float(x0 + side), float(y0 + side))
                views.append(("material", View(scene, box, (category,))))
    areas = np.bincount(layers.ravel(), minlength=len(categories))
    for _ in range(2):
        x0, y0, side = _draw_window(rng, layers.shape, VIEW_SIZES)
        areas_inside = np.bincount(layers[y0 : y0 + side, x0 : x0 + side].ravel(), minlength=len(categories))
        visible = tuple(
            category
            for category, area, inside in zip(categories, areas, areas_inside, strict=True)
            if inside >= (VISIBLE * area if category.isthing else (1 - VISIBLE) * side**2)
        )
        if visible:
            box = (float(x0), float(y0), float(x0 + side), float(y0 + side))
            views.append(("scene", View(scene, box, visible)))
    return views


def _draw_window(rng: np.random.Generator, shape: tuple[int, ...], sides: tuple[int, int]) -> tuple[int, int, int]:
    """Return left, top and size of a random square window, in pixels."""
    side = int(rng.integers(sides[0], sides[1] + 1))
    return int(rng.integers(0, shape[1] - side + 1)), int(rng.integers(0, shape[0] - side + 1)), side
