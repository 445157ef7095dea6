"""NumPy arrays: a compressed ``.npz`` for each image in ``npz/``; ``numpy.load`` reads it without pickle."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from frozenseg.atomic import replacing
from frozenseg.inference.formats.output_files import output_file
from frozenseg.inference.formats.output_format import OutputFormat, OutputImage, OutputRecord
from frozenseg.inference.result import Result


class NumpyArrays(OutputFormat):
    """The arrays of ``Result.to_numpy``, with class names."""

    name = "npz"
    description = "npz/*.npz: panoptic map, segments, instances and semantic map as NumPy arrays"
    outputs = ("panoptic", "instance", "semantic")

    def write(self, image: OutputImage, result: Result) -> OutputRecord:
        """Write the arrays of an image."""
        with replacing(output_file(self.folder / "npz", image.stem, ".npz")) as temporary:
            arrays: dict[str, Any] = result.to_numpy()
            np.savez_compressed(temporary, **arrays)
        return image.entry()

    def finish(self, records: Iterable[OutputRecord]) -> list[Path]:
        """Return the folder: all files are written."""
        del records
        return [self.folder / "npz"]


OUTPUT_FORMAT = NumpyArrays
