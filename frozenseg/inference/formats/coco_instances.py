"""COCO's instance format: ``instances.json`` with the masks of objects, the highest score of an image first."""

import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.inference.formats.coco_file import numbered, write_coco_file
from frozenseg.inference.formats.outlines import mask_polygons
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result
from frozenseg.structures.masks import encode_rle


class CocoInstances(OutputFormat):
    """Objects with masks as run lengths, or as polygons with ``polygons``."""

    name = "coco-instances"
    description = "instances.json: objects with masks as run lengths or polygons, and scores"
    outputs = ("instance",)

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Return the objects of an image; there is no file for it."""
        annotations = []
        for segment, mask in result.each_mask("instance"):
            annotation = {**segment.as_dict(), "category_id": self.classes.ids[segment.label_id], "iscrowd": 0}
            annotations.append({**annotation, "segmentation": self._segmentation(mask)})
        return {**image.entry(), "annotations": annotations}

    def _segmentation(self, mask: np.ndarray) -> Any:
        if not self.options.polygons:
            return encode_rle(mask[None])[0]
        return [polygon.round(2).ravel().tolist() for polygon in mask_polygons(mask, self.options.tolerance)]

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the JSON file; ids of objects count over all images."""
        path, ids = self.folder / "instances.json", itertools.count(1)
        entries = (
            (image, [{**each, "id": next(ids), "image_id": image["id"]} for each in record["annotations"]])
            for image, record in numbered(records)
        )
        write_coco_file(path, self.classes, entries)
        return [path]


OUTPUT_FORMAT = CocoInstances
