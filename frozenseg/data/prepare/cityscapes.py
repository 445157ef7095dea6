"""Converter of Cityscapes fine annotations: writes the train-id labels and panoptic files of the official scripts."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import available_splits, check_image_size, read_category_table
from frozenseg.data.prepare.panoptic_json import measure_segments, panoptic_entry, write_panoptic_json
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, write_labels, write_segment_ids

_SOURCE = (
    "Log in at https://www.cityscapes-dataset.com/downloads, get gtFine_trainvaltest.zip and "
    "leftImg8bit_trainvaltest.zip, and unpack both in the folder cityscapes."
)
_SPLITS = ("train", "val")
_IGNORED = 255
LABEL_COUNT = 34  # ids 0 … 33; 19 of them are evaluated
FIRST_INSTANCE = 1000  # value of an instance: 1000 · label id + number
SUPERCATEGORIES = {  # first label id of each group
    7: "flat", 11: "construction", 17: "object", 21: "nature", 23: "sky", 24: "human", 26: "vehicle",
}  # fmt: skip


def train_ids(labels: np.ndarray, source: Path) -> np.ndarray:
    """Map label ids to train ids.

    Args:
        labels: (H, W) integers.
        source: file of the labels, for the message.

    Returns:
        (H, W) uint8, 0 … 18, and 255 for classes that are not evaluated.

    Raises:
        DataError: a value that is not a label id.
    """
    if unknown := sorted(set(np.unique(labels).tolist()) - set(range(LABEL_COUNT))):
        raise DataError(f"{source} has the value {unknown[0]}; expected label ids, 0 … {LABEL_COUNT - 1}.")
    table = np.full(LABEL_COUNT, _IGNORED, np.uint8)
    for train_id, category in enumerate(_categories()):
        table[category["id"]] = train_id
    return table[labels]


def cityscapes_segments(instances: np.ndarray, source: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return the segments of an instance label image.

    A value from 1000 is an instance; a smaller value is a label id: of stuff, or of a group of things, which is a
    crowd.

    Args:
        instances: (H, W) integers.
        source: file of the instances, for the message.

    Returns:
        (H, W) segment ids, equal to the values, 0 where no class is evaluated; and the segments_info.

    Raises:
        DataError: a value without a label id.
    """
    things = {category["id"]: category["isthing"] for category in _categories()}
    segments = []
    for value, measures in measure_segments(instances).items():
        label = value // FIRST_INSTANCE if value >= FIRST_INSTANCE else value
        if not 0 <= label < LABEL_COUNT:
            raise DataError(
                f"{source} has the value {value}; expected a label id, 0 … {LABEL_COUNT - 1}, or 1000 · id + n."
            )
        if label in things:
            crowd = int(value < FIRST_INSTANCE and things[label])
            segments.append({"id": value, "category_id": label, **measures, "iscrowd": crowd})
    kept = np.isin(instances, [segment["id"] for segment in segments])
    return np.where(kept, instances, 0), segments


def _convert(home: Path, split: str, city: str, name: str) -> dict[str, Any]:
    """Convert the labels of one image; returns its JSON entry."""
    labels_file, instances_file = (home / _file(split, city, name, kind) for kind in ("labelIds", "instanceIds"))
    labels, instances = read_labels(labels_file), read_labels(instances_file)
    for file, shape in ((labels_file, labels.shape), (instances_file, instances.shape)):
        check_image_size(home / f"leftImg8bit/{split}/{city}/{name}_leftImg8bit.png", file, shape)
    classes = train_ids(labels, labels_file)
    ids, segments = cityscapes_segments(instances, instances_file)
    write_labels(home / _file(split, city, name, "labelTrainIds"), classes)
    png = _panoptic_file(split, name)
    write_segment_ids(home / png, ids)
    return panoptic_entry(name, f"{name}_gtFine_leftImg8bit.png", Path(png).name, ids.shape, segments)


def _file(split: str, city: str, name: str, kind: str) -> str:
    return f"gtFine/{split}/{city}/{name}_gtFine_{kind}.png"


def _panoptic_file(split: str, name: str) -> str:
    return f"gtFine/cityscapes_panoptic_{split}/{name}_gtFine_panoptic.png"


@functools.cache
def _categories() -> list[dict[str, Any]]:
    """Return the categories of the JSON file, in the order of their train ids."""
    return [
        {
            "id": int(row["id"]),
            "name": row["name"],
            "color": [int(row[channel]) for channel in "rgb"],
            "supercategory": SUPERCATEGORIES[max(first for first in SUPERCATEGORIES if first <= int(row["id"]))],
            "isthing": int(row["isthing"]),
        }
        for row in read_category_table("cityscapes.tsv")
    ]


def _list_images(home: Path, split: str) -> list[tuple[str, str]]:
    """Return city and name of every image with an image file or labels."""
    images = set()
    for folder, ending in (("leftImg8bit", "_leftImg8bit.png"), ("gtFine", "_gtFine_instanceIds.png")):
        for path in home.glob(f"{folder}/{split}/*/*{ending}"):
            images.add((path.parent.name, path.name.removesuffix(ending)))
    return sorted(images)


def _step(home: Path, split: str, images: Sequence[tuple[str, str]]) -> ConversionStep:
    jobs = [
        Job(name, (home, split, city, name),
            (home / _file(split, city, name, "labelTrainIds"), home / _panoptic_file(split, name)))
        for city, name in images
    ]  # fmt: skip
    target = home / f"gtFine/cityscapes_panoptic_{split}.json"
    finish = functools.partial(write_panoptic_json, target, _categories())
    return ConversionStep(f"Cityscapes {split}", jobs, _convert, finish, (target,))


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    home = root / "cityscapes"
    splits = available_splits("Cityscapes", {split: _list_images(home, split) for split in _SPLITS}, _SOURCE)
    return [functools.partial(_step, home, split, images) for split, images in splits.items()]


CONVERTER = Converter(
    name="cityscapes",
    title="Cityscapes",
    source=_SOURCE,
    needs={
        "cityscapes/gtFine": "gtFine_trainvaltest.zip",
        "cityscapes/leftImg8bit": "leftImg8bit_trainvaltest.zip",
    },
    steps=_steps,
    datasets=tuple(
        f"{name}_{split}"
        for name in ("openvocab_cityscapes_fine_panoptic", "cityscapes_fine_sem_seg", "cityscapes_fine_instance_seg")
        for split in _SPLITS
    ),
)
