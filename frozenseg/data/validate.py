"""Are the files of a data set there? Asked before a long run starts."""

from collections.abc import Sequence
from pathlib import Path

from frozenseg.data.catalog import Metadata, Record
from frozenseg.errors import DataError

FILE_KEYS = ("file_name", "pan_seg_file_name", "sem_seg_file_name", "instance_file_name")


def validate_records(
    records: Sequence[Record], metadata: Metadata, keys: Sequence[str] = FILE_KEYS, sample: int = 200
) -> None:
    """Check that the files of the first record, the last one and a sample between them exist.

    Args:
        records: the data set.
        metadata: with ``name`` and ``prepare_command`` for the message.
        keys: which files a record must have if it names them.
        sample: the most records to look at.

    Raises:
        DataError: there are no records, or a file is missing; says which and how to prepare the data set.
    """
    help_text = metadata.get("prepare_command") or "prepare the data set again"
    if not records:
        raise DataError(f"{metadata.name} has no images; {help_text}.")
    step = max(1, -(-len(records) // sample))
    for record in [*records[::step], records[-1]]:
        for key in keys:
            path = record.get(key)
            if path is not None and not Path(path).is_file():
                image = record.get("image_id", "without a number")
                raise DataError(f"{metadata.name}: {path} ({key} of image {image}) is missing; {help_text}.")
