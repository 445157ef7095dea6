"""JSON Lines: ``segments.jsonl``, one line an image with its segments."""

import json
from collections.abc import Iterable
from pathlib import Path

from frozenseg.atomic import replacing
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result

FILE_NAME = "segments.jsonl"


class SegmentLines(OutputFormat):
    """One line an image: its name and size, and its segments with their masks as COCO run lengths."""

    name = "jsonl"
    description = "segments.jsonl: one line an image, masks as COCO run lengths"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Return the line of an image; there is no file for it."""
        masks = result.encoded_masks()
        segments = [
            {**segment.as_dict(), "category_id": self.classes.ids[segment.label_id], "segmentation": mask}
            for segment, mask in zip(result.segments, masks, strict=True)
        ]
        return {**image.entry(), "segments": segments}

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the lines."""
        path = self.folder / FILE_NAME
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as file:
            for number, record in enumerate(records, start=1):
                line = {"image_id": number, **record}
                file.write(json.dumps(line, allow_nan=False) + "\n")
        return [path]


OUTPUT_FORMAT = SegmentLines
