"""Mapillary Vistas as downloaded: v1.2 flat, v2.0 with a folder for each version of the labels."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

from frozenseg.structures.label_files import write_segment_ids

WIDTH, HEIGHT = 32, 16
SPLITS = {"training": ("_1Gn_xkw7sa_i9GU4mkxxQ", "_2E45jZZ4Vpm-K0Y2wLuew"), "validation": ("-1-6gQ8gVv7K9Aa", "_8pFa")}
BIRD, ROAD, SKY, UNLABELED = 0, 13, 27, 65  # label index; the panoptic category is one more


def make(root: Path) -> None:
    """Write the miniature of v1.2 under ``root/mapillary_vistas``."""
    make_archive(root, "")


def make_archive(root: Path, version: str) -> None:
    """Write the miniature with the labels in the folder ``version`` of each split; empty for v1.2."""
    for split, names in SPLITS.items():
        home = root / "mapillary_vistas" / split
        folders = {name: home / version / name for name in ("labels", "instances", "panoptic")}
        for folder in (home / "images", *folders.values()):
            folder.mkdir(parents=True)
        content: dict[str, list] = {"images": [], "annotations": [], "categories": _categories()}
        for name in names:
            labels = np.full((HEIGHT, WIDTH), UNLABELED, np.uint8)
            labels[8:], labels[:4], labels[5:7, 4:8] = ROAD, SKY, BIRD
            Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(home / f"images/{name}.jpg")
            image = Image.fromarray(labels).convert("P")
            image.putpalette([value for index in range(256) for value in (index, 255 - index, 7 * index % 256)])
            image.putdata(labels.ravel().tolist())
            image.save(folders["labels"] / f"{name}.png")
            Image.fromarray(labels.astype(np.uint16) * 256).save(folders["instances"] / f"{name}.png")
            write_segment_ids(folders["panoptic"] / f"{name}.png", np.where(labels == UNLABELED, 0, labels + 1))
            content["images"].append({"id": name, "file_name": f"{name}.jpg", "width": WIDTH, "height": HEIGHT})
            segments = [
                {"id": index + 1, "category_id": index + 1, "area": area, "bbox": box, "iscrowd": 0}
                for index, area, box in ((ROAD, 256, [0, 8, 32, 8]), (SKY, 128, [0, 0, 32, 4]), (BIRD, 8, [4, 5, 4, 2]))
            ]
            content["annotations"].append({"image_id": name, "file_name": f"{name}.png", "segments_info": segments})
        (folders["panoptic"] / "panoptic_2018.json").write_text(json.dumps(content))


def _categories() -> list[dict[str, object]]:
    return [
        {"id": BIRD + 1, "name": "animal--bird", "isthing": 1},
        {"id": ROAD + 1, "name": "construction--flat--road", "isthing": 0},
        {"id": SKY + 1, "name": "nature--sky", "isthing": 0},
    ]
