"""PASCAL Context: labels of the 59 frequent classes and of all 459, and the pictures that have them.

The 59 come from the masks of PASCAL in Detail where that file is there, otherwise from the same label maps as the 459.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.data.prepare.converter import FOLDER, Converter, Job, Step
from frozenseg.data.prepare.images import available_splits, check_image_size, copy_file, read_image_list
from frozenseg.data.prepare.pascal_context_labels import Segment, classes_of, paint, read_label_map
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.label_files import write_labels

logger = get_logger(__name__)
RAW = "VOCdevkit/VOC2010"
MAPS = (f"{RAW}/trainval", "pascal_context/trainval")
DETAIL = f"{RAW}/trainval_merged.json"
HOME = "pascal_ctx_d2"
FOLDERS = {"train": "training", "val": "validation"}
SOURCE = (
    "Get http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar and unpack it in the data sets' "
    f"folder, so that there is {RAW}; get the label maps, trainval.tar.gz, from "
    "https://www.cs.stanford.edu/~roozbeh/pascal-context/ (or https://roozbehm.info/pascal-context/) and unpack them "
    f"so that there is {MAPS[0]}/2008_000002.mat; and where you can, get PASCAL in Detail, "
    f"https://codalabuser.blob.core.windows.net/public/trainval_merged.json, as {DETAIL}, for the masks of the 59 "
    "classes that are published results' ground truth."
)
FROM_DETAIL, FROM_MAPS = "masks of PASCAL in Detail", "label maps"


class Picture(NamedTuple):
    """A picture and its segments in PASCAL in Detail.

    Attributes:
        name: without ending.
        segments: category and run lengths of each, in the order in which they are painted; None: take the label map.
    """

    name: str
    segments: list[Segment] | None = None


def convert(root: Path, maps: Path, picture: Picture, folder: str) -> None:
    """Convert the labels of one picture and copy it.

    Raises:
        DataError: a file is missing, cannot be decoded, differs in size, or has an unknown value.
    """
    image, source = root / RAW / f"JPEGImages/{picture.name}.jpg", maps / f"{picture.name}.mat"
    values = read_label_map(source)
    check_image_size(image, source, values.shape)
    frequent = values
    if picture.segments is not None:
        frequent = paint(picture.segments, (values.shape[0], values.shape[1]), f"{DETAIL}, image {picture.name},")
    copy, labels59, labels459 = _outputs(root, picture.name, folder)
    write_labels(labels59, classes_of(frequent, source))
    write_labels(labels459, values - np.uint16(1))  # 0 wraps to 65535, the ignored one
    copy_file(image, copy)


def _outputs(root: Path, name: str, folder: str) -> tuple[Path, Path, Path]:
    home = root / HOME
    return (
        home / f"images/{folder}/{name}.jpg",
        home / f"annotations_ctx59/{folder}/{name}.png",
        home / f"annotations_ctx459/{folder}/{name}.tif",
    )


def _read_detail(path: Path) -> dict[str, list[Picture]]:
    content = read_annotations(path)
    found: dict[str, list[Picture]] = {split: [] for split in FOLDERS}
    try:
        segments: dict[Any, list] = {image["image_id"]: [] for image in content["images"]}
        if len(segments) < len(content["images"]):
            raise DataError(f"{path} has {len(content['images']) - len(segments)} images of an id that stands twice.")
        for part in content["annos_segmentation"]:
            runs = {key: part["segmentation"][key] for key in ("size", "counts")}
            segments[part["image_id"]].append((part["category_id"], runs))
        for image in content["images"]:
            if image["phase"] in found:
                found[image["phase"]].append(Picture(Path(image["file_name"]).stem, segments[image["image_id"]]))
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is not as PASCAL in Detail has it: {error} is missing or wrong. {SOURCE}") from error
    return found


def _step(root: Path, maps: Path, split: str, pictures: Sequence[Picture], setting: str) -> Step:
    folder = FOLDERS[split]
    jobs = [
        Job(picture.name, (root, maps, picture, folder), _outputs(root, picture.name, folder)) for picture in pictures
    ]
    _put_others_aside(root, folder, {picture.name for picture in pictures})
    return Step(f"PASCAL Context {split}", jobs, convert, setting=setting)


def _put_others_aside(root: Path, folder: str, names: set[str]) -> None:
    """Take away what a run from other raw files has left: the two lists of pictures differ by three."""
    for path in (output for place in _outputs(root, "x", folder) for output in place.parent.glob("[!.]*")):
        if path.stem not in names:
            aside = root / FOLDER / CONVERTER.name / "aside" / path.relative_to(root / HOME)
            logger.warning("%s is put aside, to %s: the picture is in none of the lists used now.", path, aside)
            aside.parent.mkdir(parents=True, exist_ok=True)
            path.replace(aside)


def _steps(root: Path) -> list[Callable[[], Step]]:
    maps = next((root / path for path in MAPS if (root / path).is_dir()), None)
    if maps is None:
        raise DataError(f"PASCAL Context: there is no folder {root / MAPS[0]} of label maps. {SOURCE}")
    detail = root / DETAIL
    setting = FROM_DETAIL if detail.exists() else FROM_MAPS
    logger.info("PASCAL Context: the 59 classes come from the %s.", setting)
    if setting == FROM_DETAIL:
        pictures = _read_detail(detail)
    else:
        names = {split: read_image_list(root / RAW / f"ImageSets/Main/{split}.txt") for split in FOLDERS}
        pictures = {split: [Picture(name) for name in names[split]] for split in FOLDERS}
    found = available_splits("PASCAL Context", pictures, SOURCE)
    return [functools.partial(_step, root, maps, split, found[split], setting) for split in found]


CONVERTER = Converter(
    name="pascal_context",
    title="PASCAL Context",
    source=SOURCE,
    needs={f"{RAW}/JPEGImages": "the pictures of VOC 2010", f"{RAW}/ImageSets": "its lists"},
    steps=_steps,
    datasets=tuple(f"openvocab_pascal_ctx{classes}_sem_seg_{split}" for classes in (59, 459) for split in FOLDERS),
)
