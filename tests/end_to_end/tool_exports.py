"""Exports of annotation tools in small, each with the habits of its tool: ids, names, forms of masks, further fields.

All have the two images and four objects of ``tests/fuzz/exports.py``, and an object that is a box only where the tool
writes such objects.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.fuzz.exports import HEIGHT, MASKS, RECTANGLES, WIDTH, box, polygon, rle, write_json

NAMES = ("red circle", "grass")
Content = dict[str, Any]
NO_MASK = {"category_id": 1, "area": 12.0, "bbox": [1, 1, 4, 3], "iscrowd": 0}  # a box, in the first image


def write_images(folder: Path, names: tuple[str, str]) -> None:
    """Write the two images."""
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (WIDTH, HEIGHT), (90, 120, 40)).save(folder / name)


def coco(names: tuple[str, str], first_image: int, first_category: int, first_object: int) -> Content:
    """Return an instance JSON with polygons; ids count from the given numbers."""
    images = [{"id": first_image + n, "file_name": names[n], "height": HEIGHT, "width": WIDTH} for n in (0, 1)]
    objects = [
        {
            "id": first_object + index,
            "image_id": first_image + index // 2,
            "category_id": first_category + index % 2,
            "segmentation": polygon(*RECTANGLES[index]),
            "area": float(MASKS[index].sum()),
            "bbox": [float(value) for value in box(*RECTANGLES[index])],
            "iscrowd": 0,
        }
        for index in range(4)
    ]
    categories = [{"id": first_category + n, "name": name, "supercategory": ""} for n, name in enumerate(NAMES)]
    return {"images": images, "annotations": objects, "categories": categories}


def cvat(folder: Path) -> Path:
    """Write CVAT's COCO 1.0 of a task with brush masks."""
    write_images(folder / "images/day1", ("a.png", "b.png"))
    content = coco(("day1/a.png", "day1/b.png"), 1, 1, 1)
    for image in content["images"]:
        image |= {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
    for mask, item in zip(MASKS, content["annotations"], strict=True):
        item |= {"iscrowd": 1, "segmentation": rle(mask, compressed=False), "attributes": {"occluded": False}}
    content |= {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "year": ""}}
    (folder / "annotations").mkdir()
    return write_json(folder / "annotations/instances_default.json", content)


def label_studio(folder: Path) -> Path:
    """Write Label Studio's COCO with images, and a rectangle."""
    write_images(folder / "images", ("3f2a-a.png", "77b0-b.png"))
    content = coco(("images/3f2a-a.png", "images\\77b0-b.png"), 0, 0, 0)
    for item in content["annotations"]:
        item["ignore"] = 0
    content["annotations"].append({**NO_MASK, "id": 4, "image_id": 0, "segmentation": [], "ignore": 0})
    return write_json(folder / "result.json", {**content, "info": {"version": "1.0", "contributor": "Label Studio"}})


def roboflow(folder: Path) -> Path:
    """Write Roboflow's COCO segmentation: category 0 has no objects; and an object that is a box."""
    names = ("a_png.rf.0123456789abcdef.png", "b_png.rf.fedcba9876543210.png")
    write_images(folder / "train", names)
    content = coco(names, 0, 1, 0)
    for image in content["images"]:
        image |= {"license": 1, "date_captured": "2024-01-01T00:00:00+00:00", "extra": {"name": "a.png"}}
    for category in content["categories"]:
        category["supercategory"] = "objects"
    content["categories"].insert(0, {"id": 0, "name": "objects", "supercategory": "none"})
    content["annotations"].append({**NO_MASK, "id": 4, "image_id": 0, "segmentation": []})
    return write_json(folder / "train/_annotations.coco.json", content)


def labelme(folder: Path) -> Path:
    """Write the result of labelme's script."""
    write_images(folder / "JPEGImages", ("a.jpg", "b.jpg"))
    content = coco(("JPEGImages/a.jpg", "JPEGImages/b.jpg"), 0, 1, 0)
    content["categories"].insert(0, {"supercategory": None, "id": 0, "name": "_background_"})
    return write_json(folder / "annotations.json", {**content, "type": "instances", "info": {"url": None}})


def via(folder: Path) -> Path:
    """Write VIA's COCO export: flat lists of coordinates, image ids as text in the annotations."""
    write_images(folder / "images", ("a.png", "b.png"))
    content = coco(("a.png", "b.png"), 0, 1, 0)
    for item in content["annotations"]:
        item |= {"segmentation": item["segmentation"][0], "image_id": str(item["image_id"])}
    return write_json(folder / "via_export_coco.json", content)


def coco_annotator(folder: Path) -> Path:
    """Write COCO Annotator's export, and an object without a mask."""
    write_images(folder / "images", ("a.png", "b.png"))
    content = coco(("a.png", "b.png"), 12, 3, 40)
    for image in content["images"]:
        image |= {
            "dataset_id": 1,
            "path": f"/datasets/x/{image['file_name']}",
            "category_ids": [3, 4],
            "annotated": False,
        }
    for category in content["categories"]:
        category |= {"color": "#1f77b4", "metadata": {}, "keypoint_colors": [], "creator": "x"}
    for item in content["annotations"]:
        item |= {"iscrowd": False, "isbbox": False, "color": "#2ca02c", "metadata": {}, "dataset_id": 1}
    without = {**NO_MASK, "id": 44, "image_id": 12, "category_id": 3, "segmentation": [], "keypoints": [1, 1, 2]}
    content["annotations"].append({**without, "iscrowd": False, "num_keypoints": 1})
    return write_json(folder / "dataset.json", content)


def fiftyone(folder: Path) -> Path:
    """Write FiftyOne's COCO detection data set with absolute paths, and a detection without a mask."""
    write_images(folder / "data", ("a.png", "b.png"))
    content = coco(("/home/someone/a.png", "/home/someone/b.png"), 1, 0, 1)
    for category in content["categories"]:
        category["supercategory"] = None
    for image in content["images"]:
        image |= {"license": None, "coco_url": None}
    content["annotations"].append({**NO_MASK, "id": 5, "image_id": 1})
    return write_json(folder / "labels.json", {**content, "info": {"description": "Exported from FiftyOne"}})


def supervision(folder: Path) -> Path:
    """Write supervision's COCO export of a version with flat lists and ids that start again in each image."""
    write_images(folder / "images", ("a.png", "b.png"))
    content = coco(("a.png", "b.png"), 0, 0, 0)
    for index, item in enumerate(content["annotations"]):
        item |= {"id": index % 2, "segmentation": item["segmentation"][0]}
    for category in content["categories"]:
        category["supercategory"] = "common-objects"
    return write_json(folder / "annotations.json", content)


EXPORTS: dict[str, Callable[[Path], Path]] = {
    tool.__name__: tool for tool in (cvat, label_studio, roboflow, labelme, via, coco_annotator, fiftyone, supervision)
}


def cvat_masks(folder: Path) -> None:
    """Write CVAT's segmentation mask 1.1: colour images and a table of colours."""
    write_images(folder / "JPEGImages", ("a.png", "b.png"))
    (folder / "SegmentationClass").mkdir()
    for number, name in enumerate(("a", "b")):
        colours = np.zeros((HEIGHT, WIDTH, 3), dtype=np.uint8)
        colours[MASKS[2 * number]], colours[MASKS[2 * number + 1]] = (250, 50, 83), (51, 221, 255)
        Image.fromarray(colours).save(folder / f"SegmentationClass/{name}.png")
    table = "# label:color_rgb:parts:actions\nbackground:0,0,0::\ngrass:51,221,255::\nred circle:250,50,83::\n"
    (folder / "labelmap.txt").write_text(table, encoding="utf-8")


def predictions(json_file: Path, content: Content) -> Path:
    """Write perfect predictions of the four objects, with the ids of an export; returns their file."""
    images = [image["id"] for image in content["images"]]
    categories = {category["name"]: category["id"] for category in content["categories"]}
    lines = [
        {
            "image_id": images[index // 2],
            "category_id": categories[NAMES[index % 2]],
            "segmentation": rle(mask),
            "score": 0.9,
        }
        for index, mask in enumerate(MASKS)
    ]
    return write_json(json_file, lines)
