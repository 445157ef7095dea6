"""Label maps: a PNG for each image in ``label_maps/`` whose pixels are ids of classes, and ``classes.txt``.

PNGs have 8 bits and a palette with the colours of the classes, or 16 bits where an id exceeds 254. Pixels without a
segment are 255, or 65535 with 16 bits.
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image

from frozenseg.atomic import replacing, write_text
from frozenseg.errors import ConfigError
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputClasses, OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result

UNLABELLED, UNLABELLED_16_BIT = 255, 65535
CLASS_FILE = "classes.txt"


class LabelMaps(OutputFormat):
    """The class of every pixel."""

    name = "png"
    description = "label_maps/*.png: the class of every pixel, with a palette; classes.txt"

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the label map of an image."""
        path = output_file(self.folder / "label_maps", image.stem, ".png")
        with replacing(path) as temporary:
            label_map(result, self.classes).save(temporary)
        return image.entry()

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Write the classes."""
        del records
        write_text(self.folder / CLASS_FILE, class_table(self.classes))
        return [self.folder / "label_maps", self.folder / CLASS_FILE]


def label_map(result: Result, classes: OutputClasses) -> Image.Image:
    """Return the ids of the classes of a result's segments as an image.

    Raises:
        ConfigError: an id has no room in 16 bits.
    """
    if max(classes.ids) >= UNLABELLED_16_BIT:
        raise ConfigError(
            f"The class id {max(classes.ids)} does not fit into a PNG of 16 bits, expected ids below "
            f"{UNLABELLED_16_BIT}: choose other ids."
        )
    is_small = max(classes.ids) < UNLABELLED
    unlabelled = UNLABELLED if is_small else UNLABELLED_16_BIT
    ids = result.require("panoptic")[0].cpu().numpy()
    segments = result.segments_of("panoptic")
    table = np.full(max([int(ids.max()), *(segment.id for segment in segments)]) + 1, unlabelled)
    for segment in segments:
        table[segment.id] = classes.ids[segment.label_id]
    drawn = Image.fromarray(table[ids].astype(np.uint8 if is_small else np.uint16))
    if is_small:
        palette = np.zeros((256, 3), dtype=np.uint8)
        palette[list(classes.ids)] = classes.colours
        drawn.putpalette(palette.tobytes())
    return drawn


def class_table(classes: OutputClasses) -> str:
    """Return a table of classes with tabs, which ``--classes`` and data sets of label images read."""
    lines = ["id\tname\tsynonyms\tisthing\tr\tg\tb"]
    rows = zip(classes.ids, classes.vocabulary.classes, classes.vocabulary.isthing, classes.colours, strict=True)
    for number, names, isthing, colour in rows:
        cells = [number, names[0], ",".join(names), int(isthing), *colour]
        lines.append("\t".join(" ".join(str(cell).split()) for cell in cells))
    return "\n".join(lines)


OUTPUT_FORMAT = LabelMaps
