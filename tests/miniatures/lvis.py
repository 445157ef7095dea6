"""LVIS v1 as downloaded, and the COCO images of its splits."""

import json
import zipfile
from pathlib import Path

from PIL import Image

from frozenseg.data.prepare.images import read_category_table

WIDTH, HEIGHT = 32, 16
CATEGORIES = [(int(row["id"]), row["name"], row["frequency"]) for row in read_category_table("lvis.tsv")]
IMAGES = {"val": (("val2017", 397133), ("train2017", 222564)), "train": (("train2017", 391895), ("train2017", 9))}


def make(root: Path) -> None:
    """Write the miniature: ``lvis/lvis_v1_{val,train}.json`` and ``coco/{val,train}2017``."""
    (root / "lvis").mkdir(parents=True)
    for split, images in IMAGES.items():
        (root / f"lvis/lvis_v1_{split}.json").write_text(json.dumps(annotations(split)))
        for folder, number in images:
            path = root / f"coco/{folder}/{number:012}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (WIDTH, HEIGHT), (90, 90, 90)).save(path)


def pack(root: Path, split: str) -> Path:
    """Put an annotation file in its archive, as downloaded."""
    path = root / f"lvis/lvis_v1_{split}.json"
    archive = path.with_name(f"{path.name}.zip")
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as content:
        content.write(path, path.name)
    path.unlink()
    return archive


def annotations(split: str) -> dict[str, list]:
    """Return the content of an annotation file."""
    images = [
        {
            "id": number,
            "coco_url": f"http://images.cocodataset.org/{folder}/{number:012}.jpg",
            "flickr_url": "",
            "height": HEIGHT,
            "width": WIDTH,
            "license": 1,
            "date_captured": "2013-11-14 17:02:52",
            "neg_category_ids": [1203],
            "not_exhaustive_category_ids": [2],
        }
        for folder, number in IMAGES[split]
    ]
    instances = [
        {
            "id": index,
            "image_id": image["id"],
            "category_id": 1 + index % 2,
            "segmentation": [[2, 2, 10, 2, 10, 8, 2, 8]],
            "area": 48.0,
            "bbox": [2.0, 2.0, 8.0, 6.0],
        }
        for index, image in enumerate([*images, images[0]], start=1)
    ]
    categories = [
        {
            "id": number,
            "name": name,
            "synonyms": [name],
            "synset": f"{name}.n.01",
            "def": "",
            "frequency": frequency,
            "image_count": 12,
            "instance_count": 20,
        }
        for number, name, frequency in CATEGORIES
    ]
    return {"info": {}, "licenses": [], "images": images, "annotations": instances, "categories": categories}
