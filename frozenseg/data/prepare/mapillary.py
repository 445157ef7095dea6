"""Mapillary Vistas: the labels of v1.2, which the archive of v2.0 keeps in a folder of their own, belong further up."""

import functools
import shutil
from collections.abc import Callable
from pathlib import Path

from frozenseg.data.prepare.converter import Converter, Job, Step
from frozenseg.data.prepare.images import available_splits
from frozenseg.errors import DataError
from frozenseg.log import get_logger

logger = get_logger(__name__)
HOME = "mapillary_vistas"
SPLITS = ("training", "validation")
LABELS = ("labels", "panoptic")
NESTED = "v1.2"
PANOPTIC_JSON = "panoptic_2018.json"
SOURCE = (
    "Register at https://www.mapillary.com/dataset/vistas, get the archive of v1.2 or of v2.0 and unpack it in the "
    f"folder {HOME}, so that there is {HOME}/validation/images."
)


def link(source: Path, target: Path) -> None:
    """Make a folder appear in a second place: by a link, or where the system has none, by a copy."""
    target.unlink(missing_ok=True)  # a link to nowhere
    try:
        target.symlink_to(source.relative_to(target.parent), target_is_directory=True)
    except OSError as error:
        logger.info("%s is copied, as it cannot be linked (%s).", source, error)
        temporary = target.with_name(f".{target.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        shutil.copytree(source, temporary)
        temporary.rename(target)


def _job(folder: Path, name: str) -> Job | None:
    """Return what is to be done for one kind of labels of a split.

    Raises:
        DataError: they are neither in their place nor where v2.0 has them.
    """
    place, nested = folder / name, folder / NESTED / name
    found = nested if nested.is_dir() and not place.exists() else place
    wanted = PANOPTIC_JSON if name == "panoptic" else ""
    if not (found / wanted).exists():
        raise DataError(
            f"Mapillary Vistas: there is neither {place / wanted} (as in v1.2) nor {nested / wanted} (as in v2.0). "
            f"{SOURCE}"
        )
    return None if found == place else Job(f"{folder.name} {name}", (nested, place), (place,))


def _steps(root: Path) -> list[Callable[[], Step]]:
    images = {split: list((root / HOME / split).glob("images")) for split in SPLITS}
    folders = [found[0].parent for found in available_splits("Mapillary Vistas", images, SOURCE).values()]
    jobs = [job for folder in folders for name in LABELS if (job := _job(folder, name)) is not None]
    if not jobs:
        logger.info("Mapillary Vistas: the labels are where they belong; there is nothing to do.")
        return []
    return [functools.partial(Step, "Mapillary Vistas labels", jobs, link)]


CONVERTER = Converter(
    name="mapillary",
    title="Mapillary Vistas",
    source=SOURCE,
    needs={HOME: "the archive of v1.2 or v2.0"},
    steps=_steps,
    datasets=tuple(f"openvocab_mapillary_vistas_panoptic_{split}" for split in ("train", "val")),
)
