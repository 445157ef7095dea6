"""Instance JSON files with changes that mean nothing: AP of perfect predictions stays 100."""

import copy
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.evaluation.prediction_file_metrics.instances import score_instance_files
from tests.fuzz import exports
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.use_of_files import first_batch, inspect

CHANGES = (
    "extra field", "order of keys", "order of objects", "order of images", "order of categories", "ids from 0",
    "equal ids", "negative ids", "no ids", "ids per image", "large ids", "crowd as bool", "no crowd", "crowd as text",
    "boxes as floats", "no supercategory", "no info", "area as float", "image ids", "category ids", "lists of runs",
    "strings of runs", "polygon closed", "order of predictions", "box of predictions",
)  # fmt: skip

FIELDS: dict[str, dict[str, Any]] = {
    "extra field": {"attributes": {"occluded": False}, "keypoints": [], "score": None},
    "crowd as bool": {"iscrowd": False},
    "crowd as text": {"iscrowd": "0"},
}


@st.composite
def harmless_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw an instance JSON and its perfect predictions."""
    content, lines = exports.instances(), exports.result_lines()
    changes = draw(st.lists(st.sampled_from(CHANGES), max_size=4, unique=True))
    order = draw(st.permutations(range(4)))
    for change in changes:
        _change(change, content, lines, order)
    return {"changes": changes, "content": content, "lines": lines}


def _change(change: str, content: Any, lines: list[Any], order: list[int]) -> None:
    objects = content["annotations"]
    if "ids" in change and change not in ("image ids", "category ids"):
        _change_ids(change, objects)
    elif change in ("image ids", "category ids"):
        _renumber(change, content, lines)
    elif "order" in change:
        _reorder(change, content, lines, order)
    elif change in ("lists of runs", "strings of runs"):
        masks = {
            exports.box(*corners)[0]: mask for corners, mask in zip(exports.RECTANGLES, exports.MASKS, strict=True)
        }
        for item in objects:  # known by the left edges of their boxes, in any order
            item["segmentation"] = exports.rle(masks[item["bbox"][0]], compressed=change == "strings of runs")
    elif change == "box of predictions":
        for line in lines:
            line["bbox"] = [1.0, 2.0, 3.0, 4.0]
    else:
        _change_fields(change, content)


def _change_fields(change: str, content: Any) -> None:
    if change == "no info":
        del content["info"], content["licenses"]
    for category in content["categories"] if change == "no supercategory" else ():
        del category["supercategory"]
    for item in content["annotations"]:
        if change in FIELDS:
            item |= FIELDS[change]
        elif change == "no crowd":
            del item["iscrowd"]
        elif change == "boxes as floats":
            item["bbox"] = [float(value) for value in item["bbox"]]
        elif change == "area as float":
            item["area"] = float(item["area"])
        elif change == "polygon closed" and isinstance(item["segmentation"], list):
            item["segmentation"][0] += item["segmentation"][0][:2]


def _change_ids(change: str, objects: list[Any]) -> None:
    for index, item in enumerate(objects):
        new = {"ids from 0": index, "equal ids": 5, "negative ids": -index - 1, "ids per image": index % 2,
               "large ids": 2**53 + index, "no ids": None}[change]  # fmt: skip
        if new is None:
            item.pop("id", None)
        else:
            item["id"] = new


def _renumber(change: str, content: Any, lines: list[Any]) -> None:
    key, entries = ("image_id", "images") if change == "image ids" else ("category_id", "categories")
    new = {1: 0, 2: 2**31} if change == "image ids" else {1: 0, 2: 907}
    for entry in content[entries]:
        entry["id"] = new[entry["id"]]
    for item in (*content["annotations"], *lines):
        item[key] = new[item[key]]


def _reorder(change: str, content: Any, lines: list[Any], order: list[int]) -> None:
    if change == "order of keys":
        content["annotations"] = [dict(reversed(item.items())) for item in content["annotations"]]
    elif change == "order of objects":
        content["annotations"] = [content["annotations"][index] for index in order]
    elif change == "order of predictions":
        lines[:] = [copy.deepcopy(lines[index]) for index in order]
    else:
        content[change.removeprefix("order of ")].reverse()


@fuzz("harmless changes", harmless_cases(), examples=40)
def test_harmless_changes(case: dict[str, Any], folder: Path) -> None:
    images = exports.write_images(folder)
    annotations = exports.write_json(folder / "instances.json", case["content"])
    predictions = exports.write_json(folder / "predictions.json", case["lines"])
    results = score_instance_files(annotations, predictions).results["segm"]
    assert abs(results["AP"] - 100) < 1e-9, results
    name = f"coco-instances:{annotations}?images={images}"
    assert [len(sample["instances"]) for sample in first_batch(name)] == [2, 2]
    inspect(name, folder)
