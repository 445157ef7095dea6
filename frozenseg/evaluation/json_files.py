"""Reading of JSON files of annotations and predictions, with errors that name the file."""

import json
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError


def read_json(path: str | Path, kind: str) -> Any:
    """Read a JSON file.

    Args:
        path: the file.
        kind: ``ground truth`` or ``predictions``, for messages.

    Raises:
        DataError: the file is missing or not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"The {kind} {path} cannot be read as JSON ({error}).") from error
