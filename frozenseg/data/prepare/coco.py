"""COCO panoptic: class maps from its panoptic PNGs, which are unpacked first where that is still to be done."""

import functools
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.data.formats.annotation_file import read_annotations
from frozenseg.data.prepare.converter import Converter, Job, Step
from frozenseg.data.prepare.images import available_splits
from frozenseg.data.spec import read_categories
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_segment_ids, write_labels
from frozenseg.structures.panoptic import VOID_ID

SPLITS = ("train", "val")
UNLABELLED = 255
SOURCE = (
    "Get train2017.zip and val2017.zip from http://images.cocodataset.org/zips/, annotations_trainval2017.zip and "
    "panoptic_annotations_trainval2017.zip from http://images.cocodataset.org/annotations/, and unpack all four in the "
    "folder coco."
)
Segment = tuple[int, int]  # id, category id


def unpack(archive: Path, target: Path) -> None:
    """Unpack the PNGs of a split into their folder, which appears when it is whole.

    Raises:
        DataError: the archive is broken, or has no PNG.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        aside = Path(folder) / target.name
        aside.mkdir()
        try:
            with zipfile.ZipFile(archive) as content:
                names = [name for name in content.namelist() if name.endswith(".png") and "__MACOSX" not in name]
                for name in names:
                    with content.open(name) as source, (aside / Path(name).name).open("wb") as file:
                        shutil.copyfileobj(source, file)
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise DataError(f"{archive} cannot be unpacked: {error}. {SOURCE}") from error
        if not names:
            raise DataError(f"{archive} holds no PNG. {SOURCE}")
        aside.rename(target)


def class_map(ids: np.ndarray, segments: list[Segment], source: Path) -> np.ndarray:
    """Turn segment ids to classes; crowds count like any other segment.

    Args:
        ids: (H, W) integers.
        segments: those that the JSON lists.
        source: the file of the ids, for the message.

    Returns:
        (H, W) uint8, 0 … 132 in the order of the category table, 255 where there is no segment.

    Raises:
        DataError: an unknown category, or pixels of a segment that is not listed.
    """
    classes = _classes()
    table = {VOID_ID: UNLABELLED}
    for number, category in segments:
        if category not in classes:
            raise DataError(f"{source}: its segment {number} has the category {category}, which is none of COCO's 133.")
        table[number] = classes[category]
    found, places = np.unique(ids, return_inverse=True)
    if strange := sorted(set(found.tolist()) - set(table)):
        raise DataError(f"{source} has pixels of segment {strange[0]}, which the annotation file does not list.")
    return np.array([table[number] for number in found.tolist()], np.uint8)[places].reshape(ids.shape)


def convert(source: Path, target: Path, segments: list[Segment], size: tuple[int, int]) -> None:
    """Convert one picture; ``size`` is its height and width in the JSON.

    Raises:
        DataError: see :func:`class_map`; or the PNG is missing, damaged, or of another size.
    """
    ids = read_segment_ids(source)
    if ids.shape != tuple(size):
        raise DataError(
            f"{source} is {ids.shape[1]} × {ids.shape[0]} pixels, the annotation file says {size[1]} × {size[0]}."
        )
    write_labels(target, class_map(ids, segments, source))


@functools.cache
def _classes() -> dict[int, int]:
    return {row.id: index for index, row in enumerate(read_categories("coco_panoptic.tsv"))}


def _unpacking(archive: Path, target: Path) -> Step:
    return Step(f"COCO unpack {target.name}", [Job(target.name, (archive, target), (target,))], unpack)


def _converting(home: Path, split: str) -> Step:
    path = home / f"annotations/panoptic_{split}2017.json"
    content = read_annotations(path)
    try:
        sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
        jobs = [_job(home, split, entry, sizes[entry["image_id"]]) for entry in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is not in COCO panoptic format: {error} is missing. {SOURCE}") from error
    return Step(f"COCO class maps {split}", jobs, convert)


def _job(home: Path, split: str, entry: dict[str, Any], size: tuple[int, int]) -> Job:
    name = entry["file_name"]
    target = home / f"panoptic_semseg_{split}2017" / name
    segments = [(segment["id"], segment["category_id"]) for segment in entry["segments_info"]]
    return Job(name, (home / f"panoptic_{split}2017" / name, target, segments, size), (target,))


def _steps(root: Path) -> list[Callable[[], Step]]:
    home = root / "coco"
    there = {split: list(home.glob(f"annotations/panoptic_{split}2017.json")) for split in SPLITS}
    steps: list[Callable[[], Step]] = []
    for split in available_splits("COCO", there, SOURCE):
        target = home / f"panoptic_{split}2017"
        archives = [path for path in (home / "annotations", home) if (path / f"{target.name}.zip").exists()]
        if not target.exists() and not archives:
            raise DataError(
                f"COCO: there is neither the folder {target} nor {target.name}.zip beside the JSON. {SOURCE}"
            )
        if not target.exists():
            steps.append(functools.partial(_unpacking, archives[0] / f"{target.name}.zip", target))
        steps.append(functools.partial(_converting, home, split))
    return steps


CONVERTER = Converter(
    name="coco",
    title="COCO",
    source=SOURCE,
    needs={"coco/annotations": "annotation files"},
    steps=_steps,
    datasets=tuple(f"openvocab_coco_2017_{split}_panoptic_with_sem_seg" for split in SPLITS),
)
