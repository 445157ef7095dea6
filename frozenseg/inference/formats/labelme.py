"""labelme's format: a JSON file for each image in ``labelme/``, with polygons that people can edit.

The parts of a segment have its id as ``group_id``; its score is the description.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from frozenseg.atomic import write_json
from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result
from frozenseg.inference.segments import SCORE_DIGITS

LABELME_VERSION = "5.5.0"  # of labelme, whose fields these are


class Labelme(OutputFormat):
    """Segments as polygons, the largest first, so that small ones are above them."""

    name = "labelme"
    description = "labelme/*.json: polygons for labelme"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the JSON file of an image."""
        path = output_file(self.folder / "labelme", image.stem, ".json")
        shapes = [
            {
                "label": segment.name,
                "points": polygon.round(2).tolist(),
                "group_id": segment.id,
                "description": f"score {segment.score:.{SCORE_DIGITS}f}",
                "shape_type": "polygon",
                "flags": {},
                "mask": None,
            }
            for segment, mask in result.each_mask("panoptic", largest_first=True)
            for polygon in mask_polygons(mask, self.options.tolerance)
        ]
        content: dict[str, Any] = {
            "version": LABELME_VERSION,
            "flags": {},
            "shapes": shapes,
            "imagePath": _reference(image, path),
            "imageData": None,
            "imageHeight": image.height,
            "imageWidth": image.width,
        }
        write_json(path, content, indent=1)
        return image.entry()

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Return the folder: all files are written."""
        del records
        return [self.folder / "labelme"]


def _reference(image: OutputImage, path: Path) -> str:
    """Return the path of the image as seen from a JSON file; only its name if there is no file of it."""
    if image.path is None:
        return image.name.rpartition("/")[2]
    try:
        return Path(os.path.relpath(image.path.resolve(), path.parent.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        return image.path.resolve().as_posix()


OUTPUT_FORMAT = Labelme
