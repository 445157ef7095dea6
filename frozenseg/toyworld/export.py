"""ToyWorld as files: COCO panoptic JSON and PNGs, semantic PNGs, COCO instance JSON, and a preview.

The folder of a split::

    <split>/images/000000000001.jpg      images
    <split>/panoptic/000000000001.png    segment ids as colours, id = R + 256 G + 65536 B
    <split>/semantic/000000000001.png    index of each pixel's category in the split's list, from 0
    <split>/panoptic.json                images, segments, categories
    <split>/instances.json               things only, with run-length masks

An image depends on the seed, the difficulty, the split and its number alone, so the bytes are the same for any number
of processes. A split is written to a temporary folder, which is renamed when it is complete.
"""

import contextlib
import functools
import json
import multiprocessing
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.log import progress
from frozenseg.toyworld.categories import Category, all_categories, seen_categories
from frozenseg.toyworld.difficulty import DIFFICULTIES
from frozenseg.toyworld.scenes import Scene, draw_cast, render_scene

SPLITS = ("train", "val_seen", "val_unseen")
_DESCRIPTION = "ToyWorld"
CHUNK = 16  # images that a process makes at a time
Map = Callable[..., Iterable[Any]]


@dataclass(frozen=True)
class Recipe:
    """Settings of a split.

    Attributes:
        split: ``train``, ``val_seen`` or ``val_unseen``.
        seed: of the whole world.
        count: number of images.
        height: of each, pixels.
        width: of each, pixels.
        difficulty: index into :data:`frozenseg.toyworld.difficulty.DIFFICULTIES`.
    """

    split: str
    seed: int
    count: int
    height: int = 128
    width: int = 128
    difficulty: int = 0

    def __post_init__(self) -> None:
        """Check the settings.

        Raises:
            DataError: the split is unknown, or a number is too small.
        """
        if self.split not in SPLITS:
            raise DataError(f"Unknown ToyWorld split {self.split!r}: choose one of {', '.join(SPLITS)}.")
        if self.seed < 0 or self.count < 1:
            raise DataError(
                f"ToyWorld needs a seed of 0 or more and at least one image in each split; "
                f"received seed {self.seed} and {self.count} images for {self.split}."
            )
        if min(self.height, self.width) < 64:
            raise DataError(
                f"ToyWorld images need a height and a width of at least 64 pixels; received {self.width}×{self.height}."
            )
        if not 0 <= self.difficulty < len(DIFFICULTIES):
            raise DataError(
                f"ToyWorld's difficulty is {self.difficulty}: choose a level from 0 (easiest) to "
                f"{len(DIFFICULTIES) - 1}."
            )


def split_categories(split: str) -> tuple[Category, ...]:
    """Return the categories of a split in contiguous order: the seen ones, or all for ``val_unseen``."""
    return all_categories() if split == "val_unseen" else seen_categories()


def make_scene(recipe: Recipe, number: int) -> Scene:
    """Make the scene of a split with a number, from 1."""
    level = (recipe.difficulty,) if recipe.difficulty else ()  # level 0 has the scenes of a world without levels
    rng = np.random.default_rng([recipe.seed, SPLITS.index(recipe.split), number, *level])
    difficulty = DIFFICULTIES[recipe.difficulty]
    cast = draw_cast(rng, split_categories(recipe.split), difficulty=difficulty)
    return render_scene(rng, cast, recipe.height, recipe.width, difficulty)


def export_world(folder: Path, recipes: Sequence[Recipe], workers: int = 1) -> None:
    """Write splits, each into the folder of its name, and ``preview.png`` of the last one.

    Args:
        folder: of the data set.
        recipes: of the splits.
        workers: number of processes.

    Raises:
        DataError: a split's folder holds other files than ToyWorld's, or cannot be written.
    """
    for recipe in recipes:
        _check_replaceable(folder / recipe.split)
    workers = min(workers, sum(len(_chunks(recipe)) for recipe in recipes))
    with contextlib.ExitStack() as stack:
        run: Map = map
        if workers > 1:  # spawned, not forked: safe with threads, and the same on every system
            run = stack.enter_context(ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"))).map
        for recipe in recipes:
            export_split(folder / recipe.split, recipe, run)
    preview(recipes[-1]).save(folder / "preview.png")


def export_split(folder: Path, recipe: Recipe, run: Map = map, quiet: bool = False) -> None:
    """Write a split; an existing ToyWorld split in the folder is replaced.

    Args:
        folder: of the split.
        recipe: of the split.
        run: ``map``, or that of a pool of processes.
        quiet: True to show no progress bar.

    Raises:
        DataError: ``folder`` holds other files than ToyWorld's, or cannot be written.
    """
    _check_replaceable(folder)
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    try:
        for name in ("images", "panoptic", "semantic"):
            (temporary / name).mkdir(parents=True, exist_ok=True)
        _write_annotations(temporary, recipe, _write_images(temporary, recipe, run, quiet))
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    except OSError as error:
        raise DataError(f"ToyWorld cannot be written to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def preview(recipe: Recipe, columns: int = 6, rows: int = 3) -> Image.Image:
    """Return a contact sheet: the first images of a split, each above its segments in the colours of their classes."""
    strips = []
    for row in range(rows):
        scenes = [make_scene(recipe, number) for number in range(row * columns + 1, (row + 1) * columns + 1)]
        strips.append(np.concatenate([scene.image for scene in scenes], axis=1))
        strips.append(np.concatenate([_draw_segments(scene) for scene in scenes], axis=1))
    return Image.fromarray(np.concatenate(strips))


def _check_replaceable(folder: Path) -> None:
    """Check that a folder is missing, empty, or a ToyWorld split.

    Raises:
        DataError: it holds other files.
    """
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    try:
        description = json.loads((folder / "panoptic.json").read_text(encoding="utf-8"))["info"]["description"]
    except (OSError, ValueError, KeyError, TypeError):
        description = None
    if description != _DESCRIPTION:
        raise DataError(f"{folder} exists and is not a ToyWorld split: choose another --root, or move the folder.")


def _chunks(recipe: Recipe) -> list[range]:
    return [range(first, min(first + CHUNK, recipe.count + 1)) for first in range(1, recipe.count + 1, CHUNK)]


def _write_images(folder: Path, recipe: Recipe, run: Map, quiet: bool) -> list[dict[str, Any]]:
    """Write all images and PNGs; returns the annotation of each image, by number."""
    annotations = chain.from_iterable(run(functools.partial(_write_chunk, folder, recipe), _chunks(recipe)))
    return list(progress(annotations, f"ToyWorld {recipe.split}", recipe.count, quiet))


def _write_chunk(folder: Path, recipe: Recipe, numbers: Sequence[int]) -> list[dict[str, Any]]:
    return [_write_image(folder, recipe, number) for number in numbers]


def _write_image(folder: Path, recipe: Recipe, number: int) -> dict[str, Any]:
    """Write one image and its maps; returns its entry for the panoptic JSON, things with run lengths added."""
    scene = make_scene(recipe, number)
    stem = f"{number:012d}"
    Image.fromarray(scene.image).save(folder / "images" / f"{stem}.jpg", quality=95, subsampling=0)
    Image.fromarray(_ids_as_colours(scene.ids)).save(folder / "panoptic" / f"{stem}.png")
    order = {category.id: index for index, category in enumerate(split_categories(recipe.split))}
    semantic = np.full(scene.ids.shape, 255, dtype=np.uint8)
    segments = []
    for segment in scene.segments:
        mask = scene.ids == segment.id
        semantic[mask] = order[segment.category.id]
        segments.append(_describe_segment(segment.id, segment.category, mask))
    Image.fromarray(semantic).save(folder / "semantic" / f"{stem}.png")
    return {"image_id": number, "file_name": f"{stem}.png", "segments_info": segments}


def _describe_segment(number: int, category: Category, mask: np.ndarray) -> dict[str, Any]:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    left, top = int(columns[0]), int(rows[0])
    segment = {
        "id": number,
        "category_id": category.id,
        "area": int(np.count_nonzero(mask)),
        "bbox": [left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1],
        "iscrowd": 0,
    }
    return segment | ({"segmentation": _run_lengths(mask)} if category.isthing else {})


def _run_lengths(mask: np.ndarray) -> dict[str, Any]:
    """Return a mask's COCO run lengths, uncompressed: column by column, beginning with a run of zeros."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    ends = np.concatenate([[0], changes, [flat.size]])
    counts = np.diff(ends).tolist()
    return {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts}


def _ids_as_colours(ids: np.ndarray) -> np.ndarray:
    """Return (H, W) ids as (H, W, 3) uint8, the lowest byte first."""
    return np.ascontiguousarray(ids.astype("<u4")).view(np.uint8).reshape(*ids.shape, 4)[..., :3].copy()


def _write_annotations(folder: Path, recipe: Recipe, annotations: list[dict[str, Any]]) -> None:
    """Write ``panoptic.json`` and ``instances.json``; the run lengths are removed from ``annotations``."""
    instances = [
        {"image_id": annotation["image_id"], **segment, "segmentation": segment.pop("segmentation")}
        for annotation in annotations
        for segment in annotation["segments_info"]
        if "segmentation" in segment
    ]
    for number, instance in enumerate(instances, start=1):
        instance["id"] = number
    categories = split_categories(recipe.split)
    things = [_describe_category(category) for category in categories if category.isthing]
    level = {"difficulty": recipe.difficulty} if recipe.difficulty else {}
    shared = {
        "info": {"description": _DESCRIPTION, "split": recipe.split, "seed": recipe.seed, **level},
        "images": [
            {"id": number, "file_name": f"{number:012d}.jpg", "height": recipe.height, "width": recipe.width}
            for number in range(1, recipe.count + 1)
        ],
    }
    everything = [_describe_category(category) for category in categories]
    _write_json(folder / "instances.json", shared | {"annotations": instances, "categories": things})
    _write_json(folder / "panoptic.json", shared | {"annotations": annotations, "categories": everything})


def _describe_category(category: Category) -> dict[str, Any]:
    return {
        "id": category.id,
        "name": category.name,
        "isthing": int(category.isthing),
        "supercategory": category.tier,
        "color": list(category.rgb),
    }


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")


def _draw_segments(scene: Scene) -> np.ndarray:
    """Return the segments in their categories' colours with dark borders, (H, W, 3) uint8."""
    drawing = np.zeros((*scene.ids.shape, 3), dtype=np.uint8)
    for segment in scene.segments:
        drawing[scene.ids == segment.id] = segment.category.rgb
    border = np.zeros(scene.ids.shape, dtype=bool)
    border[1:] |= scene.ids[1:] != scene.ids[:-1]
    border[:, 1:] |= scene.ids[:, 1:] != scene.ids[:, :-1]
    drawing[border] //= 3
    return drawing
