"""Check before a run: decodes a few images of each data set and their annotations, and draws contact sheets."""

import shlex
from collections.abc import Iterable
from pathlib import Path

from frozenseg import distributed
from frozenseg.atomic import replacing
from frozenseg.data.checks.audit import audit_dataset, evenly_spaced
from frozenseg.data.checks.contact_sheet import contact_sheet
from frozenseg.data.checks.files import FILE_FIELDS
from frozenseg.data.dataset import OpenedDataset
from frozenseg.errors import DataError
from frozenseg.log import get_logger
from frozenseg.structures.record import Record

logger = get_logger(__name__)
SAMPLE_SIZE = 6  # images of each data set


def check_samples(datasets: Iterable[OpenedDataset], skip_bad: bool = False) -> None:
    """Decode a few images of each data set, and the annotations that the run reads.

    Args:
        datasets: opened data sets.
        skip_bad: True to accept images that cannot be read, because loaders skip them (DATASETS.SKIP_BAD).

    Raises:
        DataError: an image or annotation is damaged, or their sizes differ.
    """
    for dataset in datasets:
        sample = _sample(dataset)
        problems = audit_dataset(sample, dataset.metadata, quiet=True).problems
        if problems and not skip_bad:
            raise DataError(
                f"{problems[0]} Of {len(sample)} images of {dataset.name} that were checked, {len(problems)} have a "
                f"problem. `frozenseg validate {shlex.quote(dataset.name)}` checks all images; --skip-bad "
                "runs without the damaged ones."
            )


def write_contact_sheets(datasets: Iterable[OpenedDataset], folder: Path) -> None:
    """Draw the checked images of each data set with their annotations, as ``folder/NAME.png``; on rank 0 only."""
    if not distributed.is_main_process():
        return
    for dataset in datasets:
        path = folder / f"{dataset.metadata.name}.png"
        with replacing(path) as temporary:
            contact_sheet(_sample(dataset), dataset.metadata).save(temporary)
        logger.info("%s: %d images; a few of them with their annotations: %s", dataset.name, len(dataset.records), path)


def _sample(dataset: OpenedDataset) -> list[Record]:
    """Return evenly spaced records, without the fields of annotation files that the run does not read."""
    unread = set(FILE_FIELDS) - set(dataset.file_fields)
    return [
        {field: value for field, value in record.items() if field not in unread}
        for record in evenly_spaced(dataset.records, SAMPLE_SIZE)
    ]
