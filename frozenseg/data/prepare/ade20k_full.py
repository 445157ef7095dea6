"""ADE20K-Full (A-847): smaller pictures, and 16-bit label pictures of the 847 most frequent of its classes."""

import functools
import pickle
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from frozenseg.atomic import replacing
from frozenseg.data.prepare.converter import Converter, Job, Step
from frozenseg.data.prepare.images import available_splits, read_table
from frozenseg.errors import DataError
from frozenseg.safe_pickle import load_pickle
from frozenseg.structures.label_files import write_labels

HOME = "ADE20K_2021_17_01"
INDEX = f"{HOME}/index_ade20k.pkl"
FOLDERS = {"train": "training", "val": "validation"}
SOURCE = (
    "Register at https://groups.csail.mit.edu/vision/datasets/ADE20K, get the full set of 2021-01-17, and unpack it in "
    f"the data sets' folder, so that there is {INDEX}."
)
SHORTEST = 512  # shorter edge of a picture that is made smaller, pixels
UNLABELLED = 65535
DAMAGED = (pickle.UnpicklingError, EOFError, AttributeError, ImportError, IndexError, KeyError, ValueError, TypeError)


class Entry(NamedTuple):
    """A line of the index: folder under the data sets' folder, and name of the picture."""

    folder: str
    name: str

    @property
    def split(self) -> str:
        """The split, which the name tells."""
        return "val" if self.name.split("_")[1:2] == ["val"] else "train"


def full_ids(segmentation: np.ndarray) -> np.ndarray:
    """Decode the classes of a segmentation picture.

    Args:
        segmentation: (H, W, 3) uint8: R and G are the class, B the object.

    Returns:
        (H, W) int32 numbers of classes of the full set, 0 for none.
    """
    red, green, _ = np.moveaxis(segmentation.astype(np.int32), -1, 0)
    return red // 10 * 256 + green


def class_map(numbers: np.ndarray) -> np.ndarray:
    """Return the place of each class among the 847, (H, W) uint16; 65535 for all other classes."""
    table = np.full(max(int(numbers.max()), max(_classes())) + 1, UNLABELLED, np.uint16)
    for number, index in _classes().items():
        table[number] = index
    return table[numbers]


def new_size(width: int, height: int) -> tuple[int, int]:
    """Return width and height after resizing: the shorter edge is 512 pixels, unless it is shorter already."""
    shorter = min(width, height)
    if shorter <= SHORTEST:
        return width, height
    longer = round(max(width, height) / shorter * SHORTEST)
    return (SHORTEST, longer) if width < height else (longer, SHORTEST)


def convert(root: Path, entry: Entry) -> None:
    """Convert one picture and its labels.

    Raises:
        DataError: one of them is missing or damaged, or their sizes differ.
    """
    source = root / entry.folder / entry.name
    image, labels = _read(source), _read(source.with_name(f"{source.stem}_seg.png"))
    if image.size != labels.size:
        raise DataError(
            f"{source} is {image.width} × {image.height} pixels, its labels are {labels.width} × {labels.height}."
        )
    size = new_size(*image.size)
    numbers = full_ids(np.asarray(labels.resize(size, Image.Resampling.NEAREST)))
    target_image, target_labels = _outputs(root, entry)
    write_labels(target_labels, class_map(numbers))
    with replacing(target_image) as temporary:
        image.resize(size, Image.Resampling.BILINEAR).save(temporary)


def _read(path: Path) -> Image.Image:
    try:
        with Image.open(path) as picture:
            return picture.convert("RGB")
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist.") from error
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"{path} cannot be decoded: {error}.") from error


def _outputs(root: Path, entry: Entry) -> tuple[Path, Path]:
    folder, stem = FOLDERS[entry.split], Path(entry.name).stem
    home = root / HOME
    return home / f"images_detectron2/{folder}/{stem}.jpg", home / f"annotations_detectron2/{folder}/{stem}.tif"


def read_index(path: Path) -> list[Entry]:
    """Read the index; nothing in it is run.

    Raises:
        DataError: it is damaged, holds something else than containers and arrays, or lacks the names.
    """
    try:
        with path.open("rb") as file:
            content = load_pickle(file)
        return [Entry(folder, name) for folder, name in zip(content["folder"], content["filename"], strict=True)]
    except DAMAGED as error:
        raise DataError(f"The index {path} cannot be read ({error}). {SOURCE}") from error


@functools.cache
def _classes() -> dict[int, int]:
    """Return number in the full set → place among the 847."""
    return {int(row["full_id"]): int(row["id"]) for row in read_table("ade20k_847.tsv")}


def _step(root: Path, split: str, entries: Sequence[Entry]) -> Step:
    jobs = [Job(entry.name, (root, entry), _outputs(root, entry)) for entry in entries]
    return Step(f"ADE20K-Full {split}", jobs, convert)


def _steps(root: Path) -> list[Callable[[], Step]]:
    entries = read_index(root / INDEX)
    found = {split: [entry for entry in entries if entry.split == split] for split in FOLDERS}
    there = available_splits("ADE20K-Full", found, SOURCE)
    return [functools.partial(_step, root, split, entries) for split, entries in there.items()]


CONVERTER = Converter(
    name="ade20k_full",
    title="ADE20K-Full",
    source=SOURCE,
    needs={INDEX: "its index", f"{HOME}/images": "its pictures"},
    steps=_steps,
    datasets=tuple(f"openvocab_ade20k_full_sem_seg_{split}" for split in FOLDERS),
)
