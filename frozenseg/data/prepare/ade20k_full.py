"""Converter of ADE20K-Full (A-847): resized images, and 16-bit label images of the 847 most frequent classes."""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import UNPACK, available_splits, read_category_table
from frozenseg.errors import DataError
from frozenseg.safe_pickle import UNREADABLE_PICKLE, load_pickle
from frozenseg.structures.image_files import opened_image
from frozenseg.structures.label_files import write_labels

_HOME = "ADE20K_2021_17_01"
INDEX_FILE = f"{_HOME}/index_ade20k.pkl"
_FOLDERS = {"train": "training", "val": "validation"}
_SOURCE = (
    "Register at https://groups.csail.mit.edu/vision/datasets/ADE20K, get the full set of 2021-01-17, and unpack it in "
    f"the data sets' folder, so that {INDEX_FILE} exists."
)
SHORTEST = 512  # shorter edge after resizing, pixels
_UNLABELLED = 65535


class IndexEntry(NamedTuple):
    """Entry of the index: folder under the data sets' folder, and file name of the image."""

    folder: str
    name: str

    @property
    def split(self) -> str:
        """Split, taken from the file name."""
        return "val" if self.name.split("_")[1:2] == ["val"] else "train"


def full_class_ids(segmentation: np.ndarray) -> np.ndarray:
    """Decode the classes of a segmentation image.

    Args:
        segmentation: (H, W, 3) uint8: R and G encode the class, B the object.

    Returns:
        (H, W) int32 class ids of the full set, 0 for none.
    """
    red, green, _ = np.moveaxis(segmentation.astype(np.int32), -1, 0)
    return red // 10 * 256 + green


def full_class_map(class_ids: np.ndarray) -> np.ndarray:
    """Map class ids of the full set to their index among the 847, (H, W) uint16; 65535 for all other classes."""
    table = np.full(max(int(class_ids.max()), max(_classes())) + 1, _UNLABELLED, np.uint16)
    for class_id, index in _classes().items():
        table[class_id] = index
    return table[class_ids]


def reduced_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height after resizing: the shorter edge has at most 512 pixels."""
    shorter = min(width, height)
    if shorter <= SHORTEST:
        return width, height
    longer = round(max(width, height) / shorter * SHORTEST)
    return (SHORTEST, longer) if width < height else (longer, SHORTEST)


def _convert(root: Path, entry: IndexEntry) -> None:
    """Resize one image and its labels.

    Raises:
        DataError: a file is missing or damaged, or the sizes differ.
    """
    source = root / entry.folder / entry.name
    image, labels = _read(source), _read(source.with_name(f"{source.stem}_seg.png"))
    if image.size != labels.size:
        raise DataError(
            f"{source} has {image.width} × {image.height} pixels, its labels {labels.width} × {labels.height}; "
            "expected equal sizes."
        )
    size = reduced_size(*image.size)
    class_ids = full_class_ids(np.asarray(labels.resize(size, Image.Resampling.NEAREST)))
    target_image, target_labels = _outputs(root, entry)
    write_labels(target_labels, full_class_map(class_ids))
    with replacing(target_image) as temporary:
        image.resize(size, Image.Resampling.BILINEAR).save(temporary)


def _read(path: Path) -> Image.Image:
    with opened_image(path, advice=UNPACK) as image:
        return image.convert("RGB")


def _outputs(root: Path, entry: IndexEntry) -> tuple[Path, Path]:
    folder, stem = _FOLDERS[entry.split], Path(entry.name).stem
    home = root / _HOME
    return home / f"images_detectron2/{folder}/{stem}.jpg", home / f"annotations_detectron2/{folder}/{stem}.tif"


def _read_index(path: Path) -> list[IndexEntry]:
    """Read the index without executing code from it.

    Raises:
        DataError: the index is damaged, has objects other than containers and arrays, or lacks the file names.
    """
    try:
        with path.open("rb") as file:
            content = load_pickle(file)
        return [IndexEntry(folder, name) for folder, name in zip(content["folder"], content["filename"], strict=True)]
    except UNREADABLE_PICKLE as error:
        raise DataError(f"The index {path} cannot be read ({error}). {_SOURCE}") from error


@functools.cache
def _classes() -> dict[int, int]:
    """Return class id in the full set → index among the 847."""
    return {int(row["full_id"]): int(row["id"]) for row in read_category_table("ade20k_847.tsv")}


def _step(root: Path, split: str, entries: Sequence[IndexEntry]) -> ConversionStep:
    jobs = [Job(entry.name, (root, entry), _outputs(root, entry)) for entry in entries]
    return ConversionStep(f"ADE20K-Full {split}", jobs, _convert)


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    entries = _read_index(root / INDEX_FILE)
    by_split = {split: [entry for entry in entries if entry.split == split] for split in _FOLDERS}
    splits = available_splits("ADE20K-Full", by_split, _SOURCE)
    return [functools.partial(_step, root, split, of_split) for split, of_split in splits.items()]


CONVERTER = Converter(
    name="ade20k_full",
    title="ADE20K-Full",
    source=_SOURCE,
    needs={INDEX_FILE: "the index", f"{_HOME}/images": "the images"},
    steps=_steps,
    datasets=tuple(f"openvocab_ade20k_full_sem_seg_{split}" for split in _FOLDERS),
)
