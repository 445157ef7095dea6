"""ADE20K-Full as it is downloaded: pictures, segmentations, and the index, a pickle with arrays."""

import pickle
from pathlib import Path

import numpy as np
from PIL import Image

LARGE, SMALL = (600, 530), (40, 30)  # width and height
WALL, LAST, OTHER = 2978, 3148, 1  # numbers of classes: train ids 0 and 846, and none
PLACES = {
    "ADE_train_00000001.jpg": ("ADE20K_2021_17_01/images/ADE/training/home/bedroom", LARGE),
    "ADE_train_00000002.jpg": ("ADE20K_2021_17_01/images/ADE/training/home/kitchen", SMALL),
    "ADE_val_00000001.jpg": ("ADE20K_2021_17_01/images/ADE/validation/urban/street", SMALL),
}


def make(root: Path) -> None:
    """Write the miniature under ``root/ADE20K_2021_17_01``."""
    for name, (folder, (width, height)) in PLACES.items():
        (root / folder).mkdir(parents=True)
        Image.new("RGB", (width, height), (90, 90, 90)).save(root / folder / name)
        Image.fromarray(draw(width, height)).save(root / folder / f"{Path(name).stem}_seg.png")
    write_index(root, list(PLACES), [folder for folder, _ in PLACES.values()])


def draw(width: int, height: int) -> np.ndarray:
    """Return a segmentation: the upper half wall, then the last class, at the right a class that is not used."""
    numbers = np.full((height, width), WALL)
    numbers[height // 2 :] = LAST
    numbers[:, -10:] = OTHER
    return np.stack([numbers // 256 * 10, numbers % 256, np.full_like(numbers, 3)], axis=-1).astype(np.uint8)


def write_index(root: Path, names: list[str], folders: list[str]) -> None:
    """Write the index with some of the fields that the real one has."""
    content = {
        "filename": names,
        "folder": folders,
        "objectPresence": np.zeros((4, len(names)), np.float64),
        "objectnames": ["-", "aqueduct", "wall", "zebra"],
    }
    with (root / "ADE20K_2021_17_01/index_ade20k.pkl").open("wb") as file:
        pickle.dump(content, file)
