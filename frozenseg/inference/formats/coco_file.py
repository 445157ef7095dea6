"""Writer of COCO's JSON files, in memory that does not grow with the annotations."""

import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from frozenseg.atomic import replacing
from frozenseg.inference.formats.output_format import OutputClasses, OutputRecord
from frozenseg.inference.result_exports import coco_categories


def write_coco_file(
    path: Path, classes: OutputClasses, images: Iterable[tuple[dict[str, Any], list[dict[str, Any]]]]
) -> None:
    """Write ``images``, ``annotations`` and ``categories``, a line for each.

    Args:
        path: the file.
        classes: of the run.
        images: entry of each image, and its annotations.

    Raises:
        OSError: the file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("w", encoding="ascii", newline="\n") as file:
        with tempfile.TemporaryFile("w+", encoding="ascii", newline="\n", dir=path.parent) as annotations:
            file.write('{"info": {"description": "Segments predicted by FrozenSeg"},\n"images": [')
            is_first = True
            for number, (image, entries) in enumerate(images):
                file.write(("\n" if number == 0 else ",\n") + _line(image))
                for entry in entries:
                    annotations.write(("\n" if is_first else ",\n") + _line(entry))
                    is_first = False
            file.write('\n],\n"annotations": [')
            annotations.seek(0)
            shutil.copyfileobj(annotations, file)
        lines = ",\n".join(map(_line, coco_categories(classes.vocabulary, classes.ids, classes.colours)))
        file.write(f'\n],\n"categories": [\n{lines}\n]}}\n')


def numbered(records: Iterable[OutputRecord]) -> Iterator[tuple[dict[str, Any], OutputRecord]]:
    """Yield the image entry of each record, with ids from 1 in their order, and the record."""
    for number, record in enumerate(records, start=1):
        yield {"id": number, **{key: record[key] for key in ("file_name", "width", "height")}}, record


def _line(entry: dict[str, Any]) -> str:
    return json.dumps(entry, allow_nan=False)
