"""Access to a requested output of a model, with an error that names the config key that requests it."""

from typing import Any

from frozenseg.errors import DataError
from frozenseg.structures.output_kinds import OUTPUT_FIELDS, ModelOutput, OutputKind, switch_of
from frozenseg.structures.record import Record, image_name


def required_output(record: Record, output: ModelOutput, kind: OutputKind) -> Any:
    """Return one kind of output for an image.

    Args:
        record: of the image.
        output: of the model.
        kind: the kind.

    Raises:
        DataError: the output lacks it.
    """
    field = OUTPUT_FIELDS[kind]
    if field not in output:
        raise DataError(f"The output for image {image_name(record)} has no {field}: set {switch_of(kind)} to True.")
    return output[field]
