"""PASCAL Context as downloaded: VOC 2010's images and lists, label maps, and the file of PASCAL in Detail."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat

from frozenseg.structures.masks import encode_rle

WIDTH, HEIGHT = 32, 16
AEROPLANE, TABLE, WOOD, ACCORDION, LAST = 2, 397, 458, 1, 459  # numbers among the 459; the first three are of the 59
NAMES = {"train": ("2008_000008", "2008_000015", "2008_000019"), "val": ("2008_000002", "2008_000003")}
NOT_IN_DETAIL = "2008_000019"


def make(root: Path) -> None:
    """Write the miniature under ``root/VOCdevkit/VOC2010``."""
    home = root / "VOCdevkit/VOC2010"
    for folder in ("JPEGImages", "trainval", "ImageSets/Main"):
        (home / folder).mkdir(parents=True)
    for split, names in NAMES.items():
        (home / f"ImageSets/Main/{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(home / f"JPEGImages/{name}.jpg")
            savemat(home / f"trainval/{name}.mat", {"LabelMap": label_map()}, do_compression=True)
    write_detail(root, detail())


def label_map() -> np.ndarray:
    """Return the label map of every image, (H, W) uint16."""
    labels = np.zeros((HEIGHT, WIDTH), np.uint16)
    labels[0:4], labels[8:16] = AEROPLANE, WOOD
    labels[6:10, 4:12], labels[12:16, 0:4], labels[12:16, 28:32] = TABLE, ACCORDION, LAST
    return labels


def detail() -> dict[str, list]:
    """Return PASCAL in Detail; its last segment covers a part of an earlier one."""
    content: dict[str, list] = {"images": [], "annos_segmentation": [], "categories": []}
    for split, names in NAMES.items():
        for name in names:
            if name == NOT_IN_DETAIL:
                continue
            number = int(name.replace("_", ""))
            image = {"image_id": number, "file_name": f"{name}.jpg", "phase": split, "height": HEIGHT, "width": WIDTH}
            content["images"].append(image)
            for category, rows, columns in (
                (AEROPLANE, slice(0, 4), slice(0, 32)),
                (WOOD, slice(8, 16), slice(0, 32)),
                (TABLE, slice(6, 10), slice(4, 12)),
            ):
                mask = np.zeros((1, HEIGHT, WIDTH), bool)
                mask[0, rows, columns] = True
                part = {"image_id": number, "category_id": category, "segmentation": encode_rle(mask)[0], "iscrowd": 0}
                content["annos_segmentation"].append(part)
    return content


def write_detail(root: Path, content: dict[str, list]) -> None:
    """Write the file of PASCAL in Detail."""
    (root / "VOCdevkit/VOC2010/trainval_merged.json").write_text(json.dumps(content))
