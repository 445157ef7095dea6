"""Converter of COCO panoptic: class maps from the panoptic PNGs, which are unpacked first if necessary."""

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
from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import available_splits
from frozenseg.data.spec import read_categories
from frozenseg.errors import DataError
from frozenseg.structures.label_files import read_segment_ids, write_labels
from frozenseg.structures.panoptic import VOID_ID

_SPLITS = ("train", "val")
_UNLABELLED = 255
_SOURCE = (
    "Get train2017.zip and val2017.zip from http://images.cocodataset.org/zips/, annotations_trainval2017.zip and "
    "panoptic_annotations_trainval2017.zip from http://images.cocodataset.org/annotations/, and unpack all four in the "
    "folder coco."
)
_Segment = tuple[int, int]  # id, category id


def _unpack(archive: Path, target: Path) -> None:
    """Unpack the PNGs of a split into their folder, which is created when it is complete.

    Raises:
        DataError: the archive is damaged, or has no PNG.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{target.name}.", dir=target.parent) as folder:
        temporary = Path(folder) / target.name
        temporary.mkdir()
        try:
            with zipfile.ZipFile(archive) as content:
                names = [name for name in content.namelist() if name.endswith(".png") and "__MACOSX" not in name]
                for name in names:
                    with content.open(name) as source, (temporary / Path(name).name).open("wb") as file:
                        shutil.copyfileobj(source, file)
        except (zipfile.BadZipFile, EOFError, zlib.error) as error:
            raise DataError(f"{archive} cannot be unpacked: {error}. {_SOURCE}") from error
        if not names:
            raise DataError(f"{archive} contains no PNG. {_SOURCE}")
        temporary.rename(target)


def coco_class_map(ids: np.ndarray, segments: list[_Segment], source: Path) -> np.ndarray:
    """Map segment ids to classes; crowds are treated like other segments.

    Args:
        ids: (H, W) integers.
        segments: id and category id of each segment of the JSON file.
        source: file of the ids, for the message.

    Returns:
        (H, W) uint8, 0 … 132 in the order of the category table, 255 where there is no segment.

    Raises:
        DataError: an unknown category, or pixels of a segment that is not listed.
    """
    classes = _classes()
    table = {VOID_ID: _UNLABELLED}
    for segment_id, category in segments:
        if category not in classes:
            raise DataError(
                f"{source}: segment {segment_id} has the category {category}, which is not one of COCO's 133."
            )
        table[segment_id] = classes[category]
    unique_ids, indices = np.unique(ids, return_inverse=True)
    if unlisted := sorted(set(unique_ids.tolist()) - set(table)):
        raise DataError(f"{source} has pixels of segment {unlisted[0]}, which the annotation file does not list.")
    return np.array([table[segment_id] for segment_id in unique_ids.tolist()], np.uint8)[indices].reshape(ids.shape)


def _convert(source: Path, target: Path, segments: list[_Segment], size: tuple[int, int]) -> None:
    """Write the class map of one image; ``size`` is its height and width in the JSON file.

    Raises:
        DataError: see :func:`coco_class_map`; or the PNG is missing, damaged, or has another size.
    """
    ids = read_segment_ids(source)
    if ids.shape != tuple(size):
        raise DataError(
            f"{source} has {ids.shape[1]} × {ids.shape[0]} pixels; expected {size[1]} × {size[0]}, as in the "
            "annotation file."
        )
    write_labels(target, coco_class_map(ids, segments, source))


@functools.cache
def _classes() -> dict[int, int]:
    return {row.id: index for index, row in enumerate(read_categories("coco_panoptic.tsv"))}


def _unpack_step(archive: Path, target: Path) -> ConversionStep:
    return ConversionStep(f"COCO unpack {target.name}", [Job(target.name, (archive, target), (target,))], _unpack)


def _convert_step(home: Path, split: str) -> ConversionStep:
    path = home / f"annotations/panoptic_{split}2017.json"
    content = read_annotations(path)
    try:
        sizes = {image["id"]: (image["height"], image["width"]) for image in content["images"]}
        jobs = [_job(home, split, entry, sizes[entry["image_id"]]) for entry in content["annotations"]]
    except (KeyError, TypeError) as error:
        raise DataError(f"{path} is not in COCO panoptic format: {error} is missing. {_SOURCE}") from error
    return ConversionStep(f"COCO class maps {split}", jobs, _convert)


def _job(home: Path, split: str, entry: dict[str, Any], size: tuple[int, int]) -> Job:
    name = entry["file_name"]
    target = home / f"panoptic_semseg_{split}2017" / name
    segments = [(segment["id"], segment["category_id"]) for segment in entry["segments_info"]]
    return Job(name, (home / f"panoptic_{split}2017" / name, target, segments, size), (target,))


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    home = root / "coco"
    files = {split: list(home.glob(f"annotations/panoptic_{split}2017.json")) for split in _SPLITS}
    steps: list[Callable[[], ConversionStep]] = []
    for split in available_splits("COCO", files, _SOURCE):
        target = home / f"panoptic_{split}2017"
        archives = [path for path in (home / "annotations", home) if (path / f"{target.name}.zip").exists()]
        if not target.exists() and not archives:
            raise DataError(
                f"COCO: neither the folder {target} nor {target.name}.zip beside the JSON file exists. {_SOURCE}"
            )
        if not target.exists():
            steps.append(functools.partial(_unpack_step, archives[0] / f"{target.name}.zip", target))
        steps.append(functools.partial(_convert_step, home, split))
    return steps


CONVERTER = Converter(
    name="coco",
    title="COCO",
    source=_SOURCE,
    needs={"coco/annotations": "annotation files"},
    steps=_steps,
    datasets=tuple(f"openvocab_coco_2017_{split}_panoptic_with_sem_seg" for split in _SPLITS),
)
