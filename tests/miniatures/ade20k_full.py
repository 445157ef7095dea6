"""ADE20K-Full as downloaded: images, segmentations, and the index, a pickle with arrays."""

import pickle
from pathlib import Path

import numpy as np
from PIL import Image

LARGE, SMALL = (600, 530), (40, 30)  # width and height
WALL, LAST, OTHER = 2978, 3148, 1  # class ids: of the classes 0 and 846, and of no class
IMAGES = {
    "ADE_train_00000001.jpg": ("ADE20K_2021_17_01/images/ADE/training/home/bedroom", LARGE),
    "ADE_train_00000002.jpg": ("ADE20K_2021_17_01/images/ADE/training/home/kitchen", SMALL),
    "ADE_val_00000001.jpg": ("ADE20K_2021_17_01/images/ADE/validation/urban/street", SMALL),
}


def make(root: Path) -> None:
    """Write the miniature under ``root/ADE20K_2021_17_01``."""
    for name, (folder, (width, height)) in IMAGES.items():
        (root / folder).mkdir(parents=True)
        Image.new("RGB", (width, height), (90, 90, 90)).save(root / folder / name)
        Image.fromarray(draw(width, height)).save(root / folder / f"{Path(name).stem}_seg.png")
    write_index(root, list(IMAGES), [folder for folder, _ in IMAGES.values()])


def draw(width: int, height: int) -> np.ndarray:
    """Return a segmentation: upper half wall, lower half the last class, at the right an unused class."""
    class_ids = np.full((height, width), WALL)
    class_ids[height // 2 :] = LAST
    class_ids[:, -10:] = OTHER
    return np.stack([class_ids // 256 * 10, class_ids % 256, np.full_like(class_ids, 3)], axis=-1).astype(np.uint8)


def write_index(root: Path, names: list[str], folders: list[str]) -> None:
    """Write the index with some of the fields of the original."""
    content = {
        "filename": names,
        "folder": folders,
        "objectPresence": np.zeros((4, len(names)), np.float64),
        "objectnames": ["-", "aqueduct", "wall", "zebra"],
    }
    with (root / "ADE20K_2021_17_01/index_ade20k.pkl").open("wb") as file:
        pickle.dump(content, file)
