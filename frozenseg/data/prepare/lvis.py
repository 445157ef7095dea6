"""LVIS v1: nothing is converted; its files are unpacked and looked through. Its pictures are COCO's."""

import functools
import shutil
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frozenseg.atomic import replacing
from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.data.prepare.converter import Converter, Job, Step
from frozenseg.data.prepare.images import available_splits
from frozenseg.errors import DataError

SPLITS = ("val", "train")
SOURCE = (
    "Get lvis_v1_val.json.zip from https://www.lvisdataset.org/dataset and put it in the folder lvis; the pictures "
    "are COCO's, train2017 and val2017, of http://images.cocodataset.org/zips/, and belong in the folder coco."
)
NEEDED = ("id", "coco_url", "height", "width", "neg_category_ids", "not_exhaustive_category_ids")


def unpack(archive: Path, target: Path) -> None:
    """Unpack the one annotation file of an archive.

    Raises:
        DataError: the archive is broken or does not have it.
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
        raise DataError(f"{archive} cannot be unpacked: {error}. {SOURCE}") from error


def look_through(path: Path, images: Path) -> int:
    """Check an annotation file.

    Args:
        path: the file.
        images: COCO's folder.

    Returns:
        How many pictures it has.

    Raises:
        DataError: something is missing or wrong in it, or a picture is not there.
    """
    content = read_annotations(path)
    try:
        pictures, categories = content["images"], {category["id"] for category in content["categories"]}
        numbers: set[int] = set()
        for picture in pictures:
            _check_picture(path, images, picture, categories)
            if picture["id"] in numbers:
                raise DataError(f"{path}: image {picture['id']} stands there twice. {SOURCE}")
            numbers.add(picture["id"])
        for part in content["annotations"]:
            _require_category(path, part["category_id"], categories)
            if part["image_id"] not in numbers:
                raise DataError(f"{path}: annotation {part['id']} is of image {part['image_id']}, which it lacks.")
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"{path} is not in LVIS' format: {error} is missing or wrong. {SOURCE}") from error
    return len(pictures)


def _check_picture(path: Path, images: Path, picture: dict[str, Any], categories: set[int]) -> None:
    if missing := [key for key in NEEDED if key not in picture]:
        raise DataError(f"{path}: image {picture.get('id')} lacks {', '.join(missing)}. {SOURCE}")
    for category in (*picture["neg_category_ids"], *picture["not_exhaustive_category_ids"]):
        _require_category(path, category, categories)
    file = images.joinpath(*picture["coco_url"].split("/")[-2:])
    if not file.exists():
        raise DataError(f"{path}: its picture {file} does not exist. {SOURCE}")


def _require_category(path: Path, category: int, categories: set[int]) -> None:
    if category not in categories:
        raise DataError(f"{path} uses the category {category}, which is not in its list.")


def _unpacking(archive: Path, target: Path) -> Step:
    return Step(f"LVIS unpack {target.stem}", [Job(target.stem, (archive, target), (target,))], unpack)


def _checking(path: Path, images: Path) -> Step:
    state = path.stat()
    setting = f"{state.st_size} bytes of {state.st_mtime_ns}"  # another file is looked through again
    return Step(f"LVIS check {path.stem}", [Job(path.stem, (path, images))], look_through, setting=setting)


def _steps(root: Path) -> list[Callable[[], Step]]:
    files = {split: root / f"lvis/lvis_v1_{split}.json" for split in SPLITS}
    archives = {split: path.with_name(f"{path.name}.zip") for split, path in files.items()}
    there = {split: [path for path in (files[split], archives[split]) if path.exists()] for split in SPLITS}
    steps: list[Callable[[], Step]] = []
    for split, (first, *_) in available_splits("LVIS", there, SOURCE).items():
        if first == archives[split]:
            steps.append(functools.partial(_unpacking, first, files[split]))
        steps.append(functools.partial(_checking, files[split], root / "coco"))
    return steps


CONVERTER = Converter(
    name="lvis",
    title="LVIS",
    source=SOURCE,
    needs={"coco/val2017": "COCO's pictures", "coco/train2017": "COCO's pictures, which LVIS' val has too"},
    steps=_steps,
    datasets=tuple(f"openvocab_lvis_v1_{split}" for split in SPLITS),
)
