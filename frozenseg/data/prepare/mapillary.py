"""Converter of Mapillary Vistas: links the labels of v1.2 from their folder in the v2.0 archive to the v1.2 layout."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

from frozenseg.data.prepare.converter import ConversionStep, Converter, Job
from frozenseg.data.prepare.images import available_splits
from frozenseg.errors import DataError
from frozenseg.log import get_logger

logger = get_logger(__name__)
_HOME = "mapillary_vistas"
_SPLITS = ("training", "validation")
LABEL_FOLDERS = ("labels", "panoptic")
NESTED = "v1.2"
PANOPTIC_JSON = "panoptic_2018.json"
_SOURCE = (
    "Register at https://www.mapillary.com/dataset/vistas, get the archive of v1.2 or of v2.0 and unpack it in the "
    f"folder {_HOME}, so that {_HOME}/validation/images exists."
)


def _link(source: Path, target: Path) -> None:
    """Link a folder to a second path; copy it if the file system has no symbolic links."""
    target.unlink(missing_ok=True)  # a dangling link
    try:
        target.symlink_to(source.relative_to(target.parent), target_is_directory=True)
    except OSError as error:
        logger.info("%s cannot be linked (%s) and is copied.", source, error)
        temporary = target.with_name(f".{target.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(source, temporary)
        temporary.rename(target)


def _job(folder: Path, name: str) -> Job | None:
    """Return the job for one kind of labels of a split; None if they are in the v1.2 layout already.

    Raises:
        DataError: the labels exist in neither layout.
    """
    flat, nested = folder / name, folder / NESTED / name
    needs_link = nested.is_dir() and not flat.exists()
    required = PANOPTIC_JSON if name == "panoptic" else ""
    if not ((nested if needs_link else flat) / required).exists():
        raise DataError(
            f"Mapillary Vistas: neither {flat / required} (layout of v1.2) nor {nested / required} (layout of v2.0) "
            f"exists. {_SOURCE}"
        )
    return Job(f"{folder.name} {name}", (nested, flat), (flat,)) if needs_link else None


def _steps(root: Path) -> list[Callable[[], ConversionStep]]:
    images = {split: list((root / _HOME / split).glob("images")) for split in _SPLITS}
    folders = [paths[0].parent for paths in available_splits("Mapillary Vistas", images, _SOURCE).values()]
    jobs = [job for folder in folders for name in LABEL_FOLDERS if (job := _job(folder, name)) is not None]
    if not jobs:
        logger.info("Mapillary Vistas: the labels have the layout of v1.2; no conversion is necessary.")
        return []
    return [functools.partial(ConversionStep, "Mapillary Vistas labels", jobs, _link)]


CONVERTER = Converter(
    name="mapillary",
    title="Mapillary Vistas",
    source=_SOURCE,
    needs={_HOME: "the archive of v1.2 or v2.0"},
    steps=_steps,
    datasets=tuple(f"openvocab_mapillary_vistas_panoptic_{split}" for split in ("train", "val")),
)
