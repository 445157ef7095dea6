"""Undamaged annotation files and their images, in small: the starting points of the damaged ones."""

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.structures.panoptic import id_to_rgb

HEIGHT, WIDTH = 20, 30
JsonObject = dict[str, Any]


def rectangle(top: int, left: int, bottom: int, right: int) -> np.ndarray:
    """Return a (20, 30) bool mask."""
    mask = np.zeros((HEIGHT, WIDTH), dtype=bool)
    mask[top:bottom, left:right] = True
    return mask


RECTANGLES = ((2, 3, 10, 12), (11, 14, 19, 28), (0, 0, 20, 9), (5, 15, 15, 30))  # top, left, bottom, right
MASKS = [rectangle(*corners) for corners in RECTANGLES]


def run_lengths(mask: np.ndarray) -> list[int]:
    """Return the lengths of the runs of a mask from their definition: column by column, zeros first."""
    lengths, value, count = [], False, 0
    for pixel in mask.T.ravel().tolist():
        if pixel != value:
            lengths.append(count)
            value, count = pixel, 0
        count += 1
    return [*lengths, count]


def compress(lengths: list[int]) -> str:
    """Return COCO's string of run lengths, from its definition in cocoapi's ``maskApi.c``."""
    text = ""
    for index, length in enumerate(lengths):
        value = length - lengths[index - 2] if index > 2 else length
        remaining = True
        while remaining:
            digit = value & 31
            value >>= 5
            remaining = value != (-1 if digit & 16 else 0)
            text += chr((digit | 32 if remaining else digit) + 48)
    return text


def rle(mask: np.ndarray, compressed: bool = True) -> JsonObject:
    """Return COCO's dictionary of run lengths."""
    lengths = run_lengths(mask)
    return {"size": list(mask.shape), "counts": compress(lengths) if compressed else lengths}


def polygon(top: int, left: int, bottom: int, right: int) -> list[list[float]]:
    """Return the polygon of a rectangle."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def images() -> list[JsonObject]:
    """Return the two images of the JSON files."""
    return [{"id": n, "file_name": f"{n}.png", "height": HEIGHT, "width": WIDTH} for n in (1, 2)]


def categories() -> list[JsonObject]:
    """Return the two categories of the JSON files."""
    names = ("red circle", "grass")
    return [{"id": n, "name": name, "isthing": 1, "supercategory": "x"} for n, name in enumerate(names, start=1)]


def instances() -> JsonObject:
    """Return an instance JSON: four objects as polygons and as run lengths in both forms."""
    segmentations = [polygon(*RECTANGLES[0]), rle(MASKS[1]), rle(MASKS[2], compressed=False), polygon(*RECTANGLES[3])]
    objects = [
        {
            "id": index + 1,
            "image_id": index // 2 + 1,
            "category_id": index % 2 + 1,
            "segmentation": segmentation,
            "area": int(MASKS[index].sum()),
            "bbox": box(*RECTANGLES[index]),
            "iscrowd": 0,
        }
        for index, segmentation in enumerate(segmentations)
    ]
    return {"info": {}, "licenses": [], "images": images(), "annotations": objects, "categories": categories()}


def box(top: int, left: int, bottom: int, right: int) -> list[int]:
    """Return COCO's box, x, y, width, height."""
    return [left, top, right - left, bottom - top]


def result_lines() -> list[JsonObject]:
    """Return perfect predictions of :func:`instances`."""
    return [
        {"image_id": index // 2 + 1, "category_id": index % 2 + 1, "segmentation": rle(mask), "score": 0.9 - index / 10}
        for index, mask in enumerate(MASKS)
    ]


def panoptic() -> JsonObject:
    """Return a panoptic JSON: two segments in each image, the id of the first is 7, of the second 300."""
    annotations = []
    for number in (1, 2):
        segments = [
            {
                "id": segment_id,
                "category_id": index + 1,
                "area": int(MASKS[2 * number - 2 + index].sum()),
                "bbox": box(*RECTANGLES[2 * number - 2 + index]),
                "iscrowd": 0,
            }
            for index, segment_id in enumerate((7, 300))
        ]
        annotations.append({"image_id": number, "file_name": f"{number}.png", "segments_info": segments})
    return {"images": images(), "annotations": annotations, "categories": categories()}


def segment_ids(number: int) -> np.ndarray:
    """Return the (20, 30) segment ids of an image of :func:`panoptic`."""
    first, second = MASKS[2 * number - 2], MASKS[2 * number - 1]
    return np.where(second, 300, np.where(first, 7, 0))


def write_images(folder: Path) -> Path:
    """Write the two images; returns their folder."""
    path = folder / "images"
    path.mkdir()
    for number in (1, 2):
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 40 * number)).save(path / f"{number}.png")
    return path


def write_segments(folder: Path) -> Path:
    """Write the panoptic PNGs; returns their folder."""
    path = folder / "masks"
    path.mkdir()
    for number in (1, 2):
        write_ids(path / f"{number}.png", segment_ids(number))
    return path


def write_ids(path: Path, ids: np.ndarray) -> None:
    """Write a panoptic PNG."""
    Image.fromarray(id_to_rgb(ids)).save(path)


def write_json(path: Path, content: Any) -> Path:
    """Write a JSON file; returns its path."""
    path.write_text(json.dumps(content), encoding="utf-8")
    return path
