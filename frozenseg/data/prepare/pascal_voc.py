"""Converter of PASCAL VOC 2012: labels with and without the background class, and copies of the labelled images."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import available_splits, check_image_size, copy_file, read_image_list
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_labels, write_labels

_RAW = "VOCdevkit/VOC2012"
_HOME = "pascal_voc_d2"
_FOLDERS = {"train": "training", "val": "validation"}
_SOURCE = (
    "Get http://host.robots.ox.ac.uk/pascal/VOC/voc2012/VOCtrainval_11-May-2012.tar and unpack it in the data sets' "
    f"folder, so that {_RAW} exists."
)
BOUNDARY = 255
_CLASSES = 21  # the background and 20 classes


def remove_background(labels: np.ndarray) -> np.ndarray:
    """Remove the background class: background becomes 255, and class numbers decrease by one.

    Args:
        labels: (H, W) uint8, 0 … 20 and 255.

    Returns:
        (H, W) uint8, 0 … 19 and 255.
    """
    table = np.arange(256, dtype=np.uint8) - np.uint8(1)  # 0 wraps to 255
    table[BOUNDARY] = BOUNDARY
    return table[labels]


def _convert(root: Path, name: str, folder: str) -> None:
    """Convert the labels of one image and copy the image.

    Raises:
        DataError: a file is missing, cannot be decoded, has another size, or has an unknown value.
    """
    jpeg, source = root / _RAW / f"JPEGImages/{name}.jpg", root / _RAW / f"SegmentationClass/{name}.png"
    labels = read_labels(source)
    check_image_size(jpeg, source, labels.shape)
    if unknown := sorted(set(np.unique(labels).tolist()) - {*range(_CLASSES), BOUNDARY}):
        raise DataError(f"{source} has the value {unknown[0]}; expected classes, 0 … {_CLASSES - 1}, or {BOUNDARY}.")
    copy, with_background, without = _outputs(root, name, folder)
    write_labels(with_background, labels)
    write_labels(without, remove_background(labels))
    copy_file(jpeg, copy)


def _outputs(root: Path, name: str, folder: str) -> tuple[Path, Path, Path]:
    home = root / _HOME
    return (
        home / f"images/{folder}/{name}.jpg",
        home / f"annotations_pascal21/{folder}/{name}.png",
        home / f"annotations_pascal20/{folder}/{name}.png",
    )


def _step(root: Path, split: str, names: Sequence[str]) -> ConversionStep:
    folder = _FOLDERS[split]
    jobs = [Job(name, (root, name, folder), _outputs(root, name, folder)) for name in names]
    return ConversionStep(f"PASCAL VOC {split}", jobs, _convert)


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    lists = {split: read_image_list(root / _RAW / f"ImageSets/Segmentation/{split}.txt") for split in _FOLDERS}
    splits = available_splits("PASCAL VOC 2012", lists, _SOURCE)
    return [functools.partial(_step, root, split, names) for split, names in splits.items()]


CONVERTER = Converter(
    name="pascal_voc",
    title="PASCAL VOC 2012",
    source=_SOURCE,
    needs={f"{_RAW}/{name}": "in the archive" for name in ("JPEGImages", "SegmentationClass", "ImageSets")},
    steps=_steps,
    datasets=tuple(f"openvocab_pascal{classes}_sem_seg_{split}" for classes in (20, 21) for split in _FOLDERS),
)
