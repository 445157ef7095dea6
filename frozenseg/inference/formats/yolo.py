"""YOLO's segmentation format: a text file for each image in ``labels/``, and ``data.yaml``.

A line is an object: the index of its class, then x and y of the corners of its polygon as shares of width and height.
YOLO looks for the images in ``images/`` beside ``labels/``, under the same names.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import yaml

from frozenseg.atomic import write_text
from frozenseg.inference.formats.outlines import joined_polygon, mask_polygons
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result


class YoloSegments(OutputFormat):
    """Objects as one polygon each; the parts of an object are joined by lines."""

    name = "yolo-seg"
    description = "labels/*.txt and data.yaml: objects as polygons, for YOLO"
    outputs = ("instance",)

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the objects of an image; the file is empty if there is none."""
        size = np.array([image.width, image.height])
        lines = []
        for segment, mask in result.each_mask("instance"):
            corners = joined_polygon(mask_polygons(mask, self.options.tolerance)) / size
            lines.append(" ".join([str(segment.label_id), *(f"{number:.6g}" for number in corners.ravel())]))
        write_text(output_file(self.folder / "labels", image.stem, ".txt"), "\n".join(lines))
        return image.entry()

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write ``data.yaml``."""
        del records
        names = dict(enumerate(self.classes.vocabulary.names))
        content = {"path": ".", "train": "images", "val": "images", "nc": len(names), "names": names}
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        write_text(self.folder / "data.yaml", text)
        return [self.folder / "labels", self.folder / "data.yaml"]


OUTPUT_FORMAT = YoloSegments
