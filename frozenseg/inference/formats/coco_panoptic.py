"""COCO's panoptic format: ``panoptic.json``, and a PNG for each image in ``panoptic/``."""

from collections.abc import Iterable
from pathlib import Path

from frozenseg.inference.formats.coco_file import numbered, write_coco_file
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result
from frozenseg.structures.label_files import write_segment_ids


class CocoPanoptic(OutputFormat):
    """Segment ids as colours of PNGs (id = R + 256 G + 256² B), and their classes in a JSON file."""

    name = "coco-panoptic"
    description = "panoptic.json and panoptic/*.png: all segments, things and stuff"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the PNG of an image."""
        masks = self.folder / "panoptic"
        path = output_file(masks, image.stem, ".png")
        write_segment_ids(path, result.require("panoptic")[0].cpu().numpy())
        infos = [
            {**segment.as_dict(), "category_id": self.classes.ids[segment.label_id], "iscrowd": 0}
            for segment in result.segments_of("panoptic")
        ]
        return {**image.entry(), "png": path.relative_to(masks).as_posix(), "segments_info": infos}

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the JSON file."""
        path = self.folder / "panoptic.json"
        entries = (
            (
                image,
                [{"image_id": image["id"], "file_name": record["png"], "segments_info": record["segments_info"]}],
            )
            for image, record in numbered(records)
        )
        write_coco_file(path, self.classes, entries)
        return [path]


OUTPUT_FORMAT = CocoPanoptic
