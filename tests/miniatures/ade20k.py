"""ADEChallengeData2016 and its instance annotations as downloaded."""

from pathlib import Path

import numpy as np
from PIL import Image

HEIGHT, WIDTH = 25, 43  # 1 075 pixels
WALL, BED = 1, 8  # values in the label images
BED_THING, FLAG_THING = 1, 100  # thing classes
IMAGES = {"training": ("ADE_train_00000001", "ADE_train_00000002"), "validation": ("ADE_val_00000001",)}
BED_BOX = (slice(2, 6), slice(3, 8))  # 20 pixels
FLAG_BOX = (slice(10, 12), slice(0, 3))  # 6 pixels
SECOND_BED_BOX = (slice(20, 25), slice(30, 34))  # 20 pixels


def make(root: Path) -> None:
    """Write the miniature under ``root/ADEChallengeData2016``."""
    home = root / "ADEChallengeData2016"
    for folder, names in IMAGES.items():
        for kind in ("images", "annotations", "annotations_instance"):
            (home / kind / folder).mkdir(parents=True)
        for name in names:
            labels, objects = draw()
            Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(home / f"images/{folder}/{name}.jpg")
            Image.fromarray(labels).save(home / f"annotations/{folder}/{name}.png")
            Image.fromarray(objects).save(home / f"annotations_instance/{folder}/{name}.png")


def draw() -> tuple[np.ndarray, np.ndarray]:
    """Return labels (H, W) and objects (H, W, 3): a wall under two beds and a flag.

    The class labels are wall everywhere.
    """
    labels = np.full((HEIGHT, WIDTH), WALL, np.uint8)
    objects = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    objects[(*BED_BOX, slice(0, 2))] = (BED_THING, 1)
    objects[(*SECOND_BED_BOX, slice(0, 2))] = (BED_THING, 2)
    objects[(*FLAG_BOX, slice(0, 2))] = (FLAG_THING, 5)
    return labels, objects
