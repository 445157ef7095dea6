"""BDD100K's 10K images, panoptic bitmasks and semantic masks as downloaded."""

from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 32, 16
ROAD, SKY, PERSON, CAR = 7, 30, 31, 35
TRUNCATED, OCCLUDED, CROWD, IGNORE = 8, 4, 2, 1
Part = tuple[slice, slice, int, int, int]  # rows, columns, category, attributes, instance

SCENES: dict[str, list[Part]] = {
    "7d06fefd-f7be05a6": [
        (slice(0, 4), slice(0, 32), SKY, 0, SKY),
        (slice(8, 16), slice(0, 32), ROAD, 0, ROAD),
        (slice(8, 16), slice(0, 8), ROAD, OCCLUDED, ROAD),  # the same segment with other attributes
        (slice(6, 10), slice(10, 16), CAR, OCCLUDED | TRUNCATED, 31),
        (slice(5, 11), slice(20, 24), PERSON, CROWD, 300),
        (slice(5, 11), slice(26, 28), PERSON, IGNORE, 33),
    ],
    "7d128593-0ccfea4c": [(slice(4, 12), slice(4, 20), PERSON, CROWD, 31)],
}


def make(root: Path) -> None:
    """Write the miniature under ``root/bdd100k``."""
    home = root / "bdd100k"
    images, bitmasks = home / "images/10k/val", home / "labels/pan_seg/bitmasks/val"
    semantic = home / "labels/sem_seg/masks/val"
    for folder in (images, bitmasks, semantic):
        folder.mkdir(parents=True)
    for name, parts in SCENES.items():
        Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(images / f"{name}.jpg")
        Image.fromarray(bitmask_of(parts)).save(bitmasks / f"{name}.png")
        classes = np.full((HEIGHT, WIDTH), 255, np.uint8)
        for rows, columns, category, *_ in parts:
            classes[rows, columns] = {ROAD: 0, SKY: 10, PERSON: 11, CAR: 13}[category]
        Image.fromarray(classes).save(semantic / f"{name}.png")


def bitmask_of(parts: list[Part]) -> np.ndarray:
    """Draw a bitmask, (H, W, 4) uint8."""
    bitmask = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    for rows, columns, category, attributes, instance in parts:
        bitmask[rows, columns] = (category, attributes, instance // 256, instance % 256)
    return bitmask
