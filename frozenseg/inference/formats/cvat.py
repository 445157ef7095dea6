"""CVAT's format for images, version 1.1: ``annotations.xml`` with masks, or polygons with ``polygons``.

A mask is the run lengths of its box, row by row, background first.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import numpy as np

from frozenseg.atomic import replacing
from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.formats.output_files import printable
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result
from frozenseg.inference.segments import SCORE_DIGITS, Segment

SCORE_ATTRIBUTE = (
    "<attribute><name>score</name><mutable>False</mutable><input_type>text</input_type><default_value></default_value>"
    "<values></values></attribute>"
)


class CvatXml(OutputFormat):
    """Segments as shapes of an XML file, the largest first, so that small ones are above them."""

    name = "cvat-xml"
    description = "annotations.xml: masks or polygons for CVAT (CVAT for images 1.1)"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Return the shapes of an image; there is no file for it."""
        shapes: list[dict[str, Any]] = []
        for segment, mask in result.each_mask("panoptic", largest_first=True):
            common = {"label": segment.name, "score": f"{segment.score:.{SCORE_DIGITS}f}"}
            if self.options.polygons:
                polygons = mask_polygons(mask, self.options.tolerance)
                shapes += [{**common, "points": _points(polygon), "group": segment.id} for polygon in polygons]
            else:
                shapes.append({**common, **_run_lengths(mask, segment)})
        return {**image.entry(), "shapes": shapes}

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the XML file; ids of images count from 0, as in CVAT."""
        path = self.folder / "annotations.xml"
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            file.write('<?xml version="1.0" encoding="utf-8"?>\n<annotations>\n<version>1.1</version>\n')
            file.write(f"<meta><task><labels>\n{self._labels()}</labels></task></meta>\n")
            for number, record in enumerate(records):
                attributes = {"id": number, "name": record["file_name"]}
                attributes |= {"width": record["width"], "height": record["height"]}
                file.write(f"<image{_attributes(attributes)}>\n")
                file.writelines(_shape(shape) for shape in record["shapes"])
                file.write("</image>\n")
            file.write("</annotations>\n")
        return [path]

    def _labels(self) -> str:
        kind = "polygon" if self.options.polygons else "mask"
        labels = zip(self.classes.vocabulary.names, self.classes.colours, strict=True)
        return "".join(
            f"<label><name>{_text(name)}</name><color>#{red:02x}{green:02x}{blue:02x}</color><type>{kind}</type>"
            f"<attributes>{SCORE_ATTRIBUTE}</attributes></label>\n"
            for name, (red, green, blue) in labels
        )


def _points(polygon: np.ndarray) -> str:
    return ";".join(f"{x:.2f},{y:.2f}" for x, y in polygon.tolist())


def _run_lengths(mask: np.ndarray, segment: Segment) -> dict[str, Any]:
    left, top, width, height = segment.bbox
    pixels = np.concatenate([[False], mask[top : top + height, left : left + width].ravel()])
    changes = np.flatnonzero(pixels[1:] != pixels[:-1])
    lengths = np.diff(changes, prepend=0, append=width * height)
    if lengths[-1] == 0:
        lengths = lengths[:-1]
    rle = ", ".join(map(str, lengths.tolist()))
    return {"rle": rle, "left": left, "top": top, "width": width, "height": height}


def _shape(shape: dict[str, Any]) -> str:
    kind = "polygon" if "points" in shape else "mask"
    values = {key: value for key, value in shape.items() if key not in ("score", "group")}
    values |= {"source": "auto", "occluded": 0, "z_order": 0}
    if "group" in shape:
        values["group_id"] = shape["group"]
    score = f'<attribute name="score">{shape["score"]}</attribute>'
    return f"<{kind}{_attributes(values)}>{score}</{kind}>\n"


def _attributes(values: dict[str, Any]) -> str:
    return "".join(f" {key}={quoteattr(printable(str(value)))}" for key, value in values.items())


def _text(text: str) -> str:
    return printable(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


OUTPUT_FORMAT = CvatXml
