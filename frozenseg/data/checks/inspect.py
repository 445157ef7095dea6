"""Inspection of a whole data set: an audit and a contact sheet."""

from pathlib import Path

from frozenseg.atomic import replacing
from frozenseg.data.catalog import resolve
from frozenseg.data.checks.audit import AuditReport, audit_dataset, evenly_spaced
from frozenseg.data.checks.contact_sheet import contact_sheet
from frozenseg.data.checks.files import refuse_objects_without_mask, validate_objects
from frozenseg.errors import DataError

IMAGES_PER_SHEET = 8


def inspect_dataset(
    name: str, folder: Path, workers: int = 1, sample: int = 0, strict: bool = False
) -> tuple[AuditReport, Path]:
    """Check a data set and draw a contact sheet of its images.

    Args:
        name: of the data set.
        folder: of the contact sheet.
        workers: number of processes.
        sample: number of images to check; 0: all.
        strict: refuse objects without a mask instead of leaving them out.

    Returns:
        The report, and the path of the contact sheet, a PNG.

    Raises:
        DataError: the data set is unknown, its files are missing, or its annotation file cannot be read.
    """
    dataset = resolve(name)
    metadata, records = dataset.metadata, dataset.load_records()
    if strict:
        refuse_objects_without_mask(records, metadata)
    report = audit_dataset(records, metadata, workers, sample)
    try:
        validate_objects(records, metadata, strict)
    except DataError as error:
        report.problems.append(str(error))
    sheet = folder / f"{metadata.name}.png"
    with replacing(sheet) as temporary:
        contact_sheet(evenly_spaced(records, IMAGES_PER_SHEET), metadata).save(temporary)
    return report, sheet
