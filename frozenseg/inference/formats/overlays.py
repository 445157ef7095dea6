"""Drawings: the image under its segments with their names, a JPEG for each image in ``overlay/``."""

from collections.abc import Iterable
from pathlib import Path

from frozenseg.atomic import replacing
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result

OVERLAY_QUALITY = 92  # of the JPEGs, 1-100


class Overlays(OutputFormat):
    """Drawings of the panoptic output, with the opacity, size and legend of the options."""

    name = "overlay"
    description = "overlay/*.jpg: the images under their segments, with names"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the drawing of an image."""
        options = self.options
        drawing = result.draw("panoptic", opacity=options.opacity, max_size=options.max_size, legend=options.legend)
        with replacing(output_file(self.folder / "overlay", image.stem, ".jpg")) as temporary:
            drawing.save(temporary, quality=OVERLAY_QUALITY)
        return image.entry()

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Return the folder: all files are written."""
        del records
        return [self.folder / "overlay"]


OUTPUT_FORMAT = Overlays
