"""BDD100K: panoptic bitmasks → COCO panoptic format. The semantic labels need nothing.

A bitmask is an RGBA picture: R = category, G = attribute bits, B · 256 + A = instance. The panoptic PNG keeps the
instance as its id.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from frozenseg.data.prepare.converter import FOLDER, Converter, Job, Step
from frozenseg.data.prepare.images import check_image_size, read_table
from frozenseg.data.prepare.panoptic_json import measure_segments, panoptic_entry, write_panoptic_json
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.label_files import write_segment_ids

logger = get_logger(__name__)
IMAGES = "bdd100k/images/10k/val"
BITMASKS = "bdd100k/labels/pan_seg/bitmasks/val"
MASKS = "bdd100k/jsons/pan_seg/masks/val"
JSON = "bdd100k/jsons/pan_seg_val_cocofmt.json"
SOURCE = (
    "Get the 10K images, and the labels of panoptic and of semantic segmentation, from "
    "https://doc.bdd100k.com/download.html and unpack them together: the panoptic bitmasks belong in "
    f"{BITMASKS}. Or unpack the converted panoptic labels, "
    "https://github.com/chenxi52/FrozenSeg/releases/download/latest/bdd100k_json.zip, "
    f"so that there are {JSON} and {MASKS}."
)
CROWD = 0b11  # attribute bits: truncated 8, occluded 4, crowd 2, ignore 1
CATEGORIES = 40
BYTE = 256


def segments_of(bitmask: np.ndarray, source: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Decode a bitmask.

    Parts that differ in their attributes alone are one segment; it is a crowd where all of them are crowds or ignored.

    Args:
        bitmask: (H, W, 4) uint8.
        source: its file, for the message.

    Returns:
        (H, W) int32 segment ids, 0 where nothing is labelled; and the segments_info.

    Raises:
        DataError: an unknown category, a category without instance, or an instance of two categories.
    """
    category, attributes, high, low = np.moveaxis(bitmask.astype(np.int32), -1, 0)
    if (largest := int(category.max())) > CATEGORIES:
        raise DataError(f"{source} has the category {largest}; expected 0 … {CATEGORIES}.")
    ids = np.where(category > 0, high * BYTE + low, 0)
    pairs = np.unique((ids * BYTE + category)[category > 0])  # one number each: much faster than unique rows
    number_of: dict[int, int] = {}
    for number, kind in (divmod(pair, BYTE) for pair in pairs.tolist()):
        if number == 0:
            raise DataError(f"{source} has pixels of category {kind} without an instance id.")
        if number in number_of:
            raise DataError(f"{source} has the instance id {number} for the categories {number_of[number]} and {kind}.")
        number_of[number] = kind
    crowd = np.bincount(ids[(attributes & CROWD) > 0], minlength=BYTE**2)
    measures = measure_segments(ids)
    return ids, [
        {
            "id": number,
            "category_id": kind,
            **measures[number],
            "iscrowd": int(crowd[number] == measures[number]["area"]),
        }
        for number, kind in number_of.items()
    ]


def convert(root: Path, name: str, image_id: int) -> dict[str, Any]:
    """Convert one bitmask; returns what the JSON says of the picture."""
    source = root / BITMASKS / f"{name}.png"
    bitmask = _read_bitmask(source)
    check_image_size(root / IMAGES / f"{name}.jpg", source, bitmask.shape)
    ids, segments = segments_of(bitmask, source)
    write_segment_ids(root / MASKS / f"{name}.png", ids)
    return panoptic_entry(image_id, f"{name}.jpg", f"{name}.png", ids.shape, segments)


def _read_bitmask(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as picture:
            mode, bitmask = picture.mode, np.asarray(picture)
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"The bitmask {path} cannot be decoded: {error}.") from error
    if mode != "RGBA":
        raise DataError(f"The bitmask {path} is of mode {mode}; expected RGBA: category, attributes, instance id.")
    return bitmask


def _step(root: Path) -> Step:
    names = sorted(path.stem for path in (root / BITMASKS).glob("*.png"))
    jobs = [
        Job(name, (root, name, number), (root / MASKS / f"{name}.png",)) for number, name in enumerate(names, start=1)
    ]
    categories = [
        {
            "id": int(row["id"]),
            "name": row["name"],
            "isthing": int(row["isthing"]),
            "color": [int(row[c]) for c in "rgb"],
        }
        for row in read_table("bdd_panoptic_40.tsv")
    ]
    finish = functools.partial(write_panoptic_json, root / JSON, categories)
    return Step("BDD100K panoptic val", jobs, convert, finish, (root / JSON,))


def _steps(root: Path) -> list[Callable[[], Step]]:
    missing = [str(root / path) for path in (JSON, MASKS) if not (root / path).exists()]
    ours = any((root / FOLDER / CONVERTER.name).glob("*.[jd]*"))  # journal or note of an earlier run, see runner.py
    if any((root / BITMASKS).glob("*.png")) and (missing or ours):
        return [lambda: _step(root)]
    if missing:
        raise DataError(f"BDD100K: there are no bitmasks in {root / BITMASKS}, nor {' and '.join(missing)}. {SOURCE}")
    logger.info("BDD100K: %s is converted already and kept; take it away to convert the bitmasks.", root / JSON)
    return []


CONVERTER = Converter(
    name="bdd100k",
    title="BDD100K",
    source=SOURCE,
    needs={IMAGES: "the 10K images"},
    steps=_steps,
    datasets=("bdd10k_40_panoptic_val", "bdd10k_val_sem_seg"),
)
