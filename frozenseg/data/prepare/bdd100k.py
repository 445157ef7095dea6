"""Converter of BDD100K: panoptic bitmasks → COCO panoptic format. The semantic labels need no conversion.

A bitmask is an RGBA image: R = category, G = attribute bits, B · 256 + A = instance id. The panoptic PNG keeps the
instance id as segment id.
"""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.data.prepare.converter import STATE_FOLDER, ConversionStep, Converter, Job
from frozenseg.data.prepare.images import UNPACK, check_image_size, read_category_table
from frozenseg.data.prepare.panoptic_json import measure_segments, panoptic_entry, write_panoptic_json
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.image_files import opened_image
from frozenseg.structures.label_files import write_segment_ids

logger = get_logger(__name__)
IMAGE_FOLDER = "bdd100k/images/10k/val"
BITMASK_FOLDER = "bdd100k/labels/pan_seg/bitmasks/val"
MASK_FOLDER = "bdd100k/jsons/pan_seg/masks/val"
PANOPTIC_FILE = "bdd100k/jsons/pan_seg_val_cocofmt.json"
_SOURCE = (
    "Get the 10K images, and the labels of panoptic and of semantic segmentation, from "
    "https://doc.bdd100k.com/download.html and unpack them together, the panoptic bitmasks in "
    f"{BITMASK_FOLDER}. Or unpack the converted panoptic labels, "
    "https://github.com/chenxi52/FrozenSeg/releases/download/latest/bdd100k_json.zip, "
    f"so that {PANOPTIC_FILE} and {MASK_FOLDER} exist."
)
CROWD_BITS = 0b11  # attribute bits: truncated 8, occluded 4, crowd 2, ignore 1
CATEGORIES = 40
BYTE = 256


def bitmask_segments(bitmask: np.ndarray, source: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Decode a bitmask.

    Pixels that differ only in their attributes form one segment; it is a crowd if all of them are crowd or ignored.

    Args:
        bitmask: (H, W, 4) uint8.
        source: file of the bitmask, for the message.

    Returns:
        (H, W) int32 segment ids, 0 for unlabelled; and the segments_info.

    Raises:
        DataError: an unknown category, a category without instance id, or an instance id with two categories.
    """
    category, attributes, high, low = np.moveaxis(bitmask.astype(np.int32), -1, 0)
    if (largest := int(category.max())) > CATEGORIES:
        raise DataError(f"{source} has the category {largest}; expected 0 … {CATEGORIES}.")
    ids = np.where(category > 0, high * BYTE + low, 0)
    pairs = np.unique((ids * BYTE + category)[category > 0])  # one integer per pair: much faster than unique rows
    categories: dict[int, int] = {}  # segment id → category
    for segment_id, category_id in (divmod(pair, BYTE) for pair in pairs.tolist()):
        if segment_id == 0:
            raise DataError(f"{source} has pixels of category {category_id} without an instance id.")
        if segment_id in categories:
            raise DataError(
                f"{source} has the instance id {segment_id} for the categories {categories[segment_id]} and "
                f"{category_id}; expected one category."
            )
        categories[segment_id] = category_id
    crowd = np.bincount(ids[(attributes & CROWD_BITS) > 0], minlength=BYTE**2)
    measures = measure_segments(ids)
    return ids, [
        {
            "id": segment_id,
            "category_id": category_id,
            **measures[segment_id],
            "iscrowd": int(crowd[segment_id] == measures[segment_id]["area"]),
        }
        for segment_id, category_id in categories.items()
    ]


def _convert(root: Path, name: str, image_id: int) -> dict[str, Any]:
    """Convert one bitmask; returns the JSON entry of the image."""
    source = root / BITMASK_FOLDER / f"{name}.png"
    bitmask = _read_bitmask(source)
    check_image_size(root / IMAGE_FOLDER / f"{name}.jpg", source, bitmask.shape)
    ids, segments = bitmask_segments(bitmask, source)
    write_segment_ids(root / MASK_FOLDER / f"{name}.png", ids)
    return panoptic_entry(image_id, f"{name}.jpg", f"{name}.png", ids.shape, segments)


def _read_bitmask(path: Path) -> np.ndarray:
    with opened_image(path, advice=UNPACK) as image:
        mode, bitmask = image.mode, np.asarray(image)
    if mode != "RGBA":
        raise DataError(f"The bitmask {path} has the mode {mode}; expected RGBA: category, attributes, instance id.")
    return bitmask


def _step(root: Path) -> ConversionStep:
    names = sorted(path.stem for path in (root / BITMASK_FOLDER).glob("*.png"))
    jobs = [
        Job(name, (root, name, number), (root / MASK_FOLDER / f"{name}.png",))
        for number, name in enumerate(names, start=1)
    ]
    categories = [
        {
            "id": int(row["id"]),
            "name": row["name"],
            "isthing": int(row["isthing"]),
            "color": [int(row[c]) for c in "rgb"],
        }
        for row in read_category_table("bdd_panoptic_40.tsv")
    ]
    finish = functools.partial(write_panoptic_json, root / PANOPTIC_FILE, categories)
    return ConversionStep("BDD100K panoptic val", jobs, _convert, finish, (root / PANOPTIC_FILE,))


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    missing = [str(root / path) for path in (PANOPTIC_FILE, MASK_FOLDER) if not (root / path).exists()]
    # files of an earlier run, see runner.py; without them the panoptic labels are FrozenSeg's release, and are kept
    converted_here = any((root / STATE_FOLDER / CONVERTER.name).glob("*.[jd]*"))
    if any((root / BITMASK_FOLDER).glob("*.png")) and (missing or converted_here):
        return [lambda: _step(root)]
    if missing:
        raise DataError(
            f"BDD100K: neither bitmasks in {root / BITMASK_FOLDER} nor {' and '.join(missing)} exist. {_SOURCE}"
        )
    logger.info("BDD100K: %s exists already and is kept; delete it to convert the bitmasks.", root / PANOPTIC_FILE)
    return []


CONVERTER = Converter(
    name="bdd100k",
    title="BDD100K",
    source=_SOURCE,
    needs={IMAGE_FOLDER: "the 10K images"},
    steps=_steps,
    datasets=("bdd10k_40_panoptic_val", "bdd10k_val_sem_seg"),
)
