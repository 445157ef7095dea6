"""Converter of ADE20K with 150 classes: class maps, panoptic files and instance annotations.

Classes come from one label image (value - 1), objects from another: R is the thing class, 1 … 100, G the number of the
object in the image. Thing classes are numbered in the order of the 150 classes.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.atomic import write_json
from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import UNPACK, available_splits, check_image_size, read_category_table
from frozenseg.data.prepare.panoptic_json import measure_segments, panoptic_entry, write_panoptic_json
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.image_files import opened_image
from frozenseg.structures.label_files import read_labels, write_labels, write_segment_ids
from frozenseg.structures.masks import encode_rle
from frozenseg.structures.panoptic import rgb_to_id

logger = get_logger(__name__)
_HOME = "ADEChallengeData2016"
_FOLDERS = {"train": "training", "val": "validation"}
_SOURCE = (
    "Get http://data.csail.mit.edu/places/ADEchallenge/ADEChallengeData2016.zip and unpack it in the data sets' "
    "folder; for panoptic and instance segmentation also get "
    "http://sceneparsing.csail.mit.edu/data/ChallengeData2017/annotations_instance.tar and unpack it in "
    f"{_HOME}."
)
CLASSES, UNLABELLED = 150, 255
# The panoptic ids of stuff are class colours, which must differ; the palette has the same grey for classes 6 and 48.
CHANGED_COLOURS = {48: (140, 140, 200)}


def _class_map(labels: np.ndarray, source: Path) -> np.ndarray:
    """Renumber the classes from 0.

    Args:
        labels: (H, W) integers, 0 for unlabelled, 1 … 150.
        source: file of the labels, for the message.

    Returns:
        (H, W) uint8, 0 … 149, 255 for unlabelled.

    Raises:
        DataError: a value above 150.
    """
    if (largest := int(labels.max())) > CLASSES:
        raise DataError(f"{source} has the value {largest}; expected 0 … {CLASSES}.")
    return labels.astype(np.uint8) - np.uint8(1)  # 0 wraps to 255


def decode_objects(labels: np.ndarray, source: Path) -> tuple[np.ndarray, dict[int, int]]:
    """Decode an instance label image.

    Args:
        labels: (H, W, 3) uint8: R the thing class, 1 … 100, G the object number.
        source: file of the labels, for the message.

    Returns:
        (H, W) uint8 object numbers, 0 for none; and object number, ascending → class, 0 … 149.

    Raises:
        DataError: an unknown thing class, or an object with two of them.
    """
    thing_classes, numbers = labels[..., 0].astype(np.int32), labels[..., 1]
    classes = _things()
    objects: dict[int, int] = {}
    pairs = np.unique(numbers.astype(np.int32) * 256 + thing_classes)
    for number, thing_class in (divmod(pair, 256) for pair in pairs.tolist()):
        if number == 0:
            continue
        if thing_class not in classes:
            raise DataError(f"{source} has an object of thing class {thing_class}; expected 1 … {len(classes)}.")
        if number in objects:
            raise DataError(f"{source}: object {number} has two thing classes; expected one.")
        objects[number] = classes[thing_class]
    return numbers, objects


def _panoptic_segments(
    classes: np.ndarray, numbers: np.ndarray, objects: dict[int, int]
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Paint objects over stuff.

    The area of a segment includes pixels that later segments cover, as in the published ground truth. A pixel of a
    thing class that belongs to no object is void. The id of stuff and of the first object of a class is the class
    colour; the ids of other objects are arbitrary, but unique.

    Args:
        classes: (H, W) uint8, see :func:`_class_map`.
        numbers: (H, W) object numbers, see :func:`decode_objects`.
        objects: object number → class.

    Returns:
        (H, W) int32 segment ids, 0 for void; and the segments_info.
    """
    colours, things = _colours(), set(_things().values())
    stuff = {label: value for label, value in measure_segments(classes).items() if label not in {*things, UNLABELLED}}
    measures = measure_segments(numbers)
    parts = [(label, classes == label, measure) for label, measure in stuff.items()]
    parts += [(label, numbers == number, measures[number]) for number, label in objects.items()]
    ids = np.zeros(classes.shape, np.int32)
    segments: list[dict[str, Any]] = []
    used = {0}
    for label, mask, measure in parts:
        segment_id = colours[label]
        while segment_id in used:
            segment_id += 1
        used.add(segment_id)
        ids[mask] = segment_id
        segments.append({"id": segment_id, "category_id": label, **measure, "iscrowd": 0})
    return ids, segments


def _convert_classes(home: Path, folder: str, name: str) -> None:
    """Write the class map of one image."""
    source = home / f"annotations/{folder}/{name}.png"
    labels = read_labels(source)
    check_image_size(home / f"images/{folder}/{name}.jpg", source, labels.shape)
    write_labels(home / f"annotations_detectron2/{folder}/{name}.png", _class_map(labels, source))


def _convert_objects(home: Path, split: str, name: str) -> dict[str, Any]:
    """Write the panoptic PNG of one image; returns its entries of the two JSON files."""
    folder = _FOLDERS[split]
    source = home / f"annotations_instance/{folder}/{name}.png"
    object_labels = _read_objects(source)
    labels = home / f"annotations/{folder}/{name}.png"
    check_image_size(labels, source, object_labels.shape)
    check_image_size(home / f"images/{folder}/{name}.jpg", source, object_labels.shape)
    numbers, objects = decode_objects(object_labels, source)
    ids, segments = _panoptic_segments(_class_map(read_labels(labels), labels), numbers, objects)
    write_segment_ids(home / f"ade20k_panoptic_{split}/{name}.png", ids)
    measures = measure_segments(numbers)
    masks = encode_rle(np.stack([numbers == number for number in objects])) if objects else []
    return {
        **panoptic_entry(name, f"{name}.jpg", f"{name}.png", ids.shape, segments),
        "objects": [
            {"image_id": name, "category_id": label, **measures[number], "segmentation": mask, "iscrowd": 0}
            for (number, label), mask in zip(objects.items(), masks, strict=True)
        ],
    }


def _read_objects(path: Path) -> np.ndarray:
    with opened_image(path, advice=UNPACK) as image:
        return np.asarray(image.convert("RGB"))


@functools.cache
def _things() -> dict[int, int]:
    """Return thing class, 1 … 100 → class, 0 … 149."""
    rows = read_category_table("ade20k_150.tsv")
    return {int(row["instance_id"]): int(row["id"]) for row in rows if row["instance_id"] != "0"}


def _rgb(row: dict[str, str]) -> tuple[int, ...]:
    return CHANGED_COLOURS.get(int(row["id"]), tuple(int(row[channel]) for channel in "rgb"))


@functools.cache
def _colours() -> list[int]:
    """Return the segment id of the colour of each class."""
    return rgb_to_id(np.array([[_rgb(row) for row in read_category_table("ade20k_150.tsv")]], np.uint8))[0].tolist()


def _categories() -> list[dict[str, Any]]:
    return [
        {"id": int(row["id"]), "name": row["name"], "isthing": int(row["isthing"]), "color": list(_rgb(row))}
        for row in read_category_table("ade20k_150.tsv")
    ]


def _write_json(home: Path, split: str, results: list[dict[str, Any]]) -> None:
    write_panoptic_json(home / f"ade20k_panoptic_{split}.json", _categories(), results)
    objects = [part for result in results for part in result["objects"]]
    content = {
        "images": [result["image"] for result in results],
        "annotations": [{"id": number, **part} for number, part in enumerate(objects, start=1)],
        "categories": [{"id": row["id"], "name": row["name"]} for row in _categories() if row["isthing"]],
    }
    write_json(home / f"ade20k_instance_{split}.json", content)


def _classes_step(home: Path, split: str, names: Sequence[str]) -> ConversionStep:
    folder = _FOLDERS[split]
    target = home / f"annotations_detectron2/{folder}"
    jobs = [Job(name, (home, folder, name), (target / f"{name}.png",)) for name in names]
    return ConversionStep(f"ADE20K classes {split}", jobs, _convert_classes)


def _objects_step(home: Path, split: str, names: Sequence[str]) -> ConversionStep:
    target = home / f"ade20k_panoptic_{split}"
    jobs = [Job(name, (home, split, name), (target / f"{name}.png",)) for name in names]
    outputs = (home / f"ade20k_panoptic_{split}.json", home / f"ade20k_instance_{split}.json")
    return ConversionStep(
        f"ADE20K panoptic {split}", jobs, _convert_objects, functools.partial(_write_json, home, split), outputs
    )


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    home = root / _HOME
    names = {
        split: sorted(
            {path.stem for kind in ("images", "annotations") for path in (home / kind / folder).glob("ADE_*")}
        )
        for split, folder in _FOLDERS.items()
    }
    splits = available_splits("ADE20K", names, _SOURCE)
    steps: list[Callable[[], ConversionStep]] = [
        functools.partial(_classes_step, home, *item) for item in splits.items()
    ]
    if (home / "annotations_instance").is_dir():
        return steps + [functools.partial(_objects_step, home, *item) for item in splits.items()]
    logger.warning(
        "ADE20K: %s does not exist: panoptic and instance annotations are skipped. %s",
        home / "annotations_instance",
        _SOURCE,
    )
    return steps


CONVERTER = Converter(
    name="ade20k",
    title="ADE20K",
    source=_SOURCE,
    needs={f"{_HOME}/images": "in the archive", f"{_HOME}/annotations": "in the archive"},
    steps=_steps,
    datasets=tuple(
        f"openvocab_ade20k_{kind}_{split}" for kind in ("panoptic", "sem_seg", "instance") for split in _FOLDERS
    ),
)
