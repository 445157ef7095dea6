"""Converter of PASCAL Context: labels of the 59 frequent classes and of all 459, and copies of the labelled images.

The 59 classes come from the masks of PASCAL in Detail if that file exists, otherwise from the label maps of the 459.
"""

import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.data.prepare.converter import STATE_FOLDER, ConversionStep, Converter, Job
from frozenseg.data.prepare.images import available_splits, check_image_size, copy_file, read_image_list
from frozenseg.data.prepare.pascal_context_labels import DetailSegment, frequent_classes, paint_segments, read_label_map
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.label_files import write_labels

logger = get_logger(__name__)
_RAW = "VOCdevkit/VOC2010"
MAPS = (f"{_RAW}/trainval", "pascal_context/trainval")
DETAIL = f"{_RAW}/trainval_merged.json"
_HOME = "pascal_ctx_d2"
_FOLDERS = {"train": "training", "val": "validation"}
_SOURCE = (
    "Get http://host.robots.ox.ac.uk/pascal/VOC/voc2010/VOCtrainval_03-May-2010.tar and unpack it in the data sets' "
    f"folder, so that {_RAW} exists; get the label maps, trainval.tar.gz, from "
    "https://www.cs.stanford.edu/~roozbeh/pascal-context/ (or https://roozbehm.info/pascal-context/) and unpack them "
    f"so that {MAPS[0]}/2008_000002.mat exists; and if possible, get PASCAL in Detail, "
    f"https://codalabuser.blob.core.windows.net/public/trainval_merged.json, as {DETAIL}, for the ground truth "
    "of published results with 59 classes."
)
FROM_DETAIL, FROM_MAPS = "masks of PASCAL in Detail", "label maps"


class ContextImage(NamedTuple):
    """Image, and its segments in PASCAL in Detail.

    Attributes:
        name: file name without extension.
        segments: category and mask of each segment, in painting order; None to use the label map.
    """

    name: str
    segments: list[DetailSegment] | None = None


def _convert(root: Path, maps: Path, image: ContextImage, folder: str) -> None:
    """Convert the labels of one image and copy the image.

    Raises:
        DataError: a file is missing, cannot be decoded, has another size, or has an unknown value.
    """
    jpeg, source = root / _RAW / f"JPEGImages/{image.name}.jpg", maps / f"{image.name}.mat"
    values = read_label_map(source)
    check_image_size(jpeg, source, values.shape)
    frequent = values
    if image.segments is not None:
        frequent = paint_segments(image.segments, (values.shape[0], values.shape[1]), f"{DETAIL}, image {image.name},")
    copy, labels59, labels459 = _outputs(root, image.name, folder)
    write_labels(labels59, frequent_classes(frequent, source))
    write_labels(labels459, values - np.uint16(1))  # 0 wraps to 65535, the ignored value
    copy_file(jpeg, copy)


def _outputs(root: Path, name: str, folder: str) -> tuple[Path, Path, Path]:
    home = root / _HOME
    return (
        home / f"images/{folder}/{name}.jpg",
        home / f"annotations_ctx59/{folder}/{name}.png",
        home / f"annotations_ctx459/{folder}/{name}.tif",
    )


def _read_detail(path: Path) -> dict[str, list[ContextImage]]:
    content = read_annotations(path)
    images: dict[str, list[ContextImage]] = {split: [] for split in _FOLDERS}
    try:
        segments: dict[Any, list[DetailSegment]] = {entry["image_id"]: [] for entry in content["images"]}
        if len(segments) < len(content["images"]):
            raise DataError(
                f"{path} has {len(content['images']) - len(segments)} images with the id of another image; expected "
                "unique ids."
            )
        for annotation in content["annos_segmentation"]:
            rle = {key: annotation["segmentation"][key] for key in ("size", "counts")}
            segments[annotation["image_id"]].append((annotation["category_id"], rle))
        for entry in content["images"]:
            if entry["phase"] in images:
                images[entry["phase"]].append(ContextImage(Path(entry["file_name"]).stem, segments[entry["image_id"]]))
    except (KeyError, TypeError) as error:
        raise DataError(
            f"{path} is not in the format of PASCAL in Detail: {error} is missing or invalid. {_SOURCE}"
        ) from error
    return images


def _step(root: Path, maps: Path, split: str, images: Sequence[ContextImage], setting: str) -> ConversionStep:
    folder = _FOLDERS[split]
    jobs = [Job(image.name, (root, maps, image, folder), _outputs(root, image.name, folder)) for image in images]
    _move_unlisted(root, folder, {image.name for image in images})
    return ConversionStep(f"PASCAL Context {split}", jobs, _convert, setting=setting)


def _move_unlisted(root: Path, folder: str, names: set[str]) -> None:
    """Move the outputs of a run from other raw files away: the image lists of the two sources differ by three."""
    for path in (file for output in _outputs(root, "x", folder) for file in output.parent.glob("[!.]*")):
        if path.stem not in names:
            target = root / STATE_FOLDER / CONVERTER.name / "aside" / path.relative_to(root / _HOME)
            logger.warning("%s is moved to %s: the image is not in the current list.", path, target)
            target.parent.mkdir(parents=True, exist_ok=True)
            path.replace(target)


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    maps = next((root / path for path in MAPS if (root / path).is_dir()), None)
    if maps is None:
        raise DataError(f"PASCAL Context: the folder {root / MAPS[0]} of label maps does not exist. {_SOURCE}")
    detail = root / DETAIL
    setting = FROM_DETAIL if detail.exists() else FROM_MAPS
    logger.info("PASCAL Context: the 59 classes come from the %s.", setting)
    if setting == FROM_DETAIL:
        images = _read_detail(detail)
    else:
        names = {split: read_image_list(root / _RAW / f"ImageSets/Main/{split}.txt") for split in _FOLDERS}
        images = {split: [ContextImage(name) for name in names[split]] for split in _FOLDERS}
    splits = available_splits("PASCAL Context", images, _SOURCE)
    return [functools.partial(_step, root, maps, split, of_split, setting) for split, of_split in splits.items()]


CONVERTER = Converter(
    name="pascal_context",
    title="PASCAL Context",
    source=_SOURCE,
    needs={f"{_RAW}/JPEGImages": "the images of VOC 2010", f"{_RAW}/ImageSets": "its image lists"},
    steps=_steps,
    datasets=tuple(f"openvocab_pascal_ctx{classes}_sem_seg_{split}" for classes in (59, 459) for split in _FOLDERS),
)
