"""COCO 2017 panoptic as downloaded, the PNGs in their inner archives."""

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.data.spec import read_categories
from frozenseg.structures.label_files import write_segment_ids

HEIGHT, WIDTH = 16, 32
PERSON, RUG, SKY = 1, 200, 187  # category ids
# segment id, category, rows, columns, crowd; later ones over earlier ones
Part = tuple[int, int, slice, slice, int]
SCENE: list[Part] = [
    (70_000, SKY, slice(0, 8), slice(0, 32), 0),
    (300, RUG, slice(8, 16), slice(0, 24), 0),
    (7, PERSON, slice(4, 12), slice(4, 8), 0),
    (9, PERSON, slice(10, 14), slice(12, 20), 1),
]
IMAGES = {"train": (391895, 522418), "val": (139, 285)}


def make(root: Path) -> None:
    """Write the miniature under ``root/coco``."""
    home = root / "coco"
    (home / "annotations").mkdir(parents=True)
    for split, numbers in IMAGES.items():
        folder = home / f"{split}2017"
        folder.mkdir()
        png = home / f"panoptic_{split}2017.making"
        with zipfile.ZipFile(home / f"annotations/panoptic_{split}2017.zip", "w") as archive:
            for number in numbers:
                Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(folder / f"{number:012}.jpg")
                write_segment_ids(png / f"{number:012}.png", draw())
                archive.write(png / f"{number:012}.png", f"panoptic_{split}2017/{number:012}.png")
                (png / f"{number:012}.png").unlink()
        png.rmdir()
        write(home / f"annotations/panoptic_{split}2017.json", panoptic(numbers))
        write(home / f"annotations/instances_{split}2017.json", instances(numbers))


def draw() -> np.ndarray:
    """Return the segment ids of an image."""
    ids = np.zeros((HEIGHT, WIDTH), np.int32)
    for number, _, rows, columns, _ in SCENE:
        ids[rows, columns] = number
    return ids


def panoptic(numbers: tuple[int, ...]) -> dict[str, Any]:
    """Return the panoptic annotation file."""
    ids = draw()
    segments = [
        {
            "id": number,
            "category_id": category,
            "area": int((ids == number).sum()),
            "bbox": [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start],
            "iscrowd": crowd,
        }
        for number, category, rows, columns, crowd in SCENE
    ]
    annotations = [
        {"image_id": number, "file_name": f"{number:012}.png", "segments_info": segments} for number in numbers
    ]
    return {"images": images(numbers), "annotations": annotations, "categories": categories()}


def instances(numbers: tuple[int, ...]) -> dict[str, Any]:
    """Return the instance annotation file."""
    annotations = [
        {
            "id": index,
            "image_id": number,
            "category_id": PERSON,
            "segmentation": [[4, 4, 8, 4, 8, 12, 4, 12]],
            "area": 32,
            "bbox": [4, 4, 4, 8],
            "iscrowd": 0,
        }
        for index, number in enumerate(numbers, start=1)
    ]
    things = [category for category in categories() if category["isthing"]]
    return {"images": images(numbers), "annotations": annotations, "categories": things}


def images(numbers: tuple[int, ...]) -> list[dict[str, Any]]:
    """Return the entries of images."""
    return [{"id": n, "file_name": f"{n:012}.jpg", "height": HEIGHT, "width": WIDTH} for n in numbers]


def categories() -> list[dict[str, Any]]:
    """Return the 133 categories."""
    return [
        {"id": row.id, "name": row.names[0], "isthing": int(row.isthing), "color": list(row.rgb)}
        for row in read_categories("coco_panoptic.tsv")
    ]


def write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content), encoding="utf-8")
