"""A whole data set, looked at and drawn."""

from pathlib import Path

from frozenseg.atomic import replacing
from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
from frozenseg.data.checks.audit import Survey, spread, survey
from frozenseg.data.checks.contact_sheet import contact_sheet
from frozenseg.data.checks.files import validate_objects
from frozenseg.errors import DataError

DRAWN = 8  # pictures on a sheet


def inspect(name: str, folder: Path, workers: int = 1, sample: int = 0) -> tuple[Survey, Path]:
    """Look at a data set and draw a sheet of its pictures.

    Args:
        name: of the data set.
        folder: where the sheet goes.
        workers: processes.
        sample: pictures to look at; 0: all.

    Returns:
        What was found, and the sheet, a PNG.

    Raises:
        DataError: the data set is unknown, its files are missing, or its annotation file is wrong.
    """
    metadata, records = MetadataCatalog.get(name), DatasetCatalog.get(name)
    found = survey(records, metadata, workers, sample)
    try:
        validate_objects(records, metadata)
    except DataError as error:
        found.problems.append(str(error))
    sheet = folder / f"{metadata.name}.png"
    with replacing(sheet) as temporary:
        contact_sheet(spread(records, DRAWN), metadata).save(temporary)
    return found, sheet
