"""Cityscapes as downloaded: ``gtFine`` with polygons and both kinds of ids, and ``leftImg8bit``."""

import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 32, 16
IDS = {
    "static": 4, "road": 7, "rail track": 10, "building": 11, "polegroup": 18, "sky": 23, "person": 24, "car": 26,
    "caravan": 29, "bicycle": 33, "license plate": -1,
}  # fmt: skip
THINGS = {"person", "car", "caravan", "bicycle"}
Box = tuple[str, int, int, int, int]  # label, left, top, right, bottom; all inclusive

STREET: list[Box] = [
    ("sky", 0, 0, 31, 3),
    ("static", 0, 4, 31, 4),
    ("road", 0, 8, 31, 15),
    ("car", 0, 6, 5, 9),
    ("car", 8, 6, 13, 9),
    ("cargroup", 20, 6, 25, 9),
    ("caravan", 28, 6, 31, 9),
    ("person", 16, 5, 17, 10),
    ("license plate", 2, 8, 3, 8),
]
CROWD: list[Box] = [("rail track", 0, 8, 31, 15), ("bicyclegroup", 0, 0, 31, 7)]
HOUSE: list[Box] = [("building", 0, 0, 31, 9), ("road", 4, 10, 31, 15), ("polegroup", 3, 0, 3, 15)]
SCENES = {
    ("train", "aachen", "aachen_000000_000019"): STREET,
    ("train", "bochum", "bochum_000000_000313"): HOUSE,
    ("val", "frankfurt", "frankfurt_000000_000294"): STREET,
    ("val", "munster", "munster_000000_000019"): CROWD,
}


def make(root: Path) -> None:
    """Write the miniature under ``root/cityscapes``."""
    for (split, city, name), boxes in SCENES.items():
        annotations = root / f"cityscapes/gtFine/{split}/{city}"
        images = root / f"cityscapes/leftImg8bit/{split}/{city}"
        for folder in (annotations, images):
            folder.mkdir(parents=True, exist_ok=True)
        labels, instances = draw(boxes)
        Image.fromarray(labels).save(annotations / f"{name}_gtFine_labelIds.png")
        Image.fromarray(instances).save(annotations / f"{name}_gtFine_instanceIds.png")
        (annotations / f"{name}_gtFine_polygons.json").write_text(json.dumps(polygons(boxes)))
        Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(images / f"{name}_leftImg8bit.png")


def draw(boxes: list[Box]) -> tuple[np.ndarray, np.ndarray]:
    """Return label ids, uint8, and instance ids, uint16."""
    labels, instances = Image.new("L", (WIDTH, HEIGHT), 0), Image.new("I", (WIDTH, HEIGHT), 0)
    count: dict[str, int] = {}
    for label, *corners in boxes:
        group = label.endswith("group") and label not in IDS
        label = label.removesuffix("group") if group else label
        number = IDS[label]
        if number < 0:
            continue
        ImageDraw.Draw(labels).rectangle(corners, fill=number)
        if label in THINGS and not group:
            number = 1000 * number + count.setdefault(label, 0)
            count[label] += 1
        ImageDraw.Draw(instances).rectangle(corners, fill=number)
    return np.asarray(labels), np.asarray(instances).astype(np.uint16)


def polygons(boxes: list[Box]) -> dict[str, object]:
    """Return the content of the polygon file."""
    objects = [
        {"label": label, "polygon": [[left, top], [right, top], [right, bottom], [left, bottom]]}
        for label, left, top, right, bottom in boxes
    ]
    return {"imgHeight": HEIGHT, "imgWidth": WIDTH, "objects": objects}
