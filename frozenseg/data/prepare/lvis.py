"""Converter of LVIS v1: unpacks and checks the annotation files; nothing is converted. The images are COCO's."""

import functools
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frozenseg.atomic import replacing
from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import available_splits
from frozenseg.errors import DataError

_SPLITS = ("val", "train")
_SOURCE = (
    "Get lvis_v1_val.json.zip from https://www.lvisdataset.org/dataset and put it in the folder lvis; the images "
    "are COCO's: get train2017.zip and val2017.zip from http://images.cocodataset.org/zips/ and unpack them in the "
    "folder coco."
)
REQUIRED_KEYS = ("id", "coco_url", "height", "width", "neg_category_ids", "not_exhaustive_category_ids")


def _unpack(archive: Path, target: Path) -> None:
    """Unpack the annotation file of an archive.

    Raises:
        DataError: the archive is damaged or does not contain the file.
    """
    try:
        with (
            zipfile.ZipFile(archive) as content,
            content.open(target.name) as source,
            replacing(target) as temporary,
            temporary.open("wb") as file,
        ):
            shutil.copyfileobj(source, file)
    except (zipfile.BadZipFile, KeyError, EOFError, zlib.error) as error:
        raise DataError(f"{archive} cannot be unpacked: {error}. {_SOURCE}") from error


def _check_annotations(path: Path, images: Path) -> int:
    """Check an annotation file.

    Args:
        path: the file.
        images: COCO's folder.

    Returns:
        The number of images.

    Raises:
        DataError: a missing or invalid entry, or a missing image.
    """
    content = read_annotations(path)
    try:
        entries, categories = content["images"], {category["id"] for category in content["categories"]}
        image_ids: set[int] = set()
        for entry in entries:
            _check_image(path, images, entry, categories)
            if entry["id"] in image_ids:
                raise DataError(f"{path} lists the image {entry['id']} twice. {_SOURCE}")
            image_ids.add(entry["id"])
        for annotation in content["annotations"]:
            _check_category(path, annotation["category_id"], categories)
            if annotation["image_id"] not in image_ids:
                raise DataError(
                    f"{path}: annotation {annotation['id']} refers to the image {annotation['image_id']}, which is not "
                    "listed."
                )
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not in the format of LVIS: {error} is missing or invalid. {_SOURCE}") from error
    return len(entries)


def _check_image(path: Path, images: Path, entry: dict[str, Any], categories: set[int]) -> None:
    if missing := [key for key in REQUIRED_KEYS if key not in entry]:
        raise DataError(f"{path}: image {entry.get('id')} has no {', '.join(missing)}. {_SOURCE}")
    for category in (*entry["neg_category_ids"], *entry["not_exhaustive_category_ids"]):
        _check_category(path, category, categories)
    file = images.joinpath(*entry["coco_url"].split("/")[-2:])
    if not file.exists():
        raise DataError(f"{path}: the image {file} does not exist. {_SOURCE}")


def _check_category(path: Path, category: int, categories: set[int]) -> None:
    if category not in categories:
        raise DataError(f"{path} uses the category {category}, which is not one of its categories.")


def _unpack_step(archive: Path, target: Path) -> ConversionStep:
    return ConversionStep(f"LVIS unpack {target.stem}", [Job(target.stem, (archive, target), (target,))], _unpack)


def _check_step(path: Path, images: Path) -> ConversionStep:
    state = path.stat()
    setting = f"{state.st_size} bytes of {state.st_mtime_ns}"  # a changed file is checked again
    return ConversionStep(
        f"LVIS check {path.stem}", [Job(path.stem, (path, images))], _check_annotations, setting=setting
    )


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    files = {split: root / f"lvis/lvis_v1_{split}.json" for split in _SPLITS}
    archives = {split: path.with_name(f"{path.name}.zip") for split, path in files.items()}
    existing = {split: [path for path in (files[split], archives[split]) if path.exists()] for split in _SPLITS}
    steps: list[Callable[[], ConversionStep]] = []
    for split, (first, *_) in available_splits("LVIS", existing, _SOURCE).items():
        if first == archives[split]:
            steps.append(functools.partial(_unpack_step, first, files[split]))
        steps.append(functools.partial(_check_step, files[split], root / "coco"))
    return steps


CONVERTER = Converter(
    name="lvis",
    title="LVIS",
    source=_SOURCE,
    needs={"coco/val2017": "images of COCO", "coco/train2017": "images of COCO, also used by the val split of LVIS"},
    steps=_steps,
    datasets=tuple(f"openvocab_lvis_v1_{split}" for split in _SPLITS),
)
