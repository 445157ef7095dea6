"""Output files of a run over images, in several formats."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from frozenseg.inference.formats.output_format import OutputFormat, OutputImage
from frozenseg.inference.result import KINDS, Result
from frozenseg.inference.run_folder import ImageRecord
from frozenseg.inference.sources.source_image import SourceImage
from frozenseg.structures.output_kinds import OutputKind

CLASS_COUNTS = "segments"  # key of the number of segments by class in a record


class RunOutputs:
    """Files of the images of a run, and files about all images.

    Args:
        formats: of the files.
        min_score: segments with a lower score are left out.
        min_area: segments with fewer pixels are left out.
    """

    def __init__(self, formats: Sequence[OutputFormat], min_score: float = 0.0, min_area: int = 0) -> None:
        self.formats, self.min_score, self.min_area = list(formats), min_score, min_area

    @property
    def kinds(self) -> tuple[OutputKind, ...]:
        """Outputs that the model must compute."""
        used = {kind for each in self.formats for kind in each.outputs}
        return tuple(kind for kind in KINDS if kind in used)

    def write(self, image: SourceImage, result: Result) -> ImageRecord:
        """Write the files of an image; returns its record: the number of segments by class, the part of each format."""
        kept = result.keep(self.min_score, self.min_area) if self.min_score or self.min_area else result
        target = OutputImage(image.name, image.stem, *image.size, image.path)
        return {CLASS_COUNTS: _counts(kept), **{each.name: each.write(target, kept) for each in self.formats}}

    def finish(self, records: Callable[[], Iterable[ImageRecord]]) -> dict[str, list[Path]]:
        """Write the files about all images.

        Args:
            records: returns the records of the images, in the order of the input; called once for each format.

        Returns:
            The files or folders for the user to open, by format.
        """
        return {each.name: each.finish(record[each.name] for record in records()) for each in self.formats}


def sum_of_counts(records: Iterable[ImageRecord]) -> dict[str, int]:
    """Return the number of segments of each class that has one, the most frequent class first."""
    total: Counter[str] = Counter()
    for record in records:
        total.update(record[CLASS_COUNTS])
    return dict(total.most_common())


def _counts(result: Result) -> dict[str, int]:
    """Return the number of segments by class; empty for a result with labels of pixels only."""
    if result.panoptic is None and result.instances is None:
        return {}
    return dict(Counter(segment.name for segment in result.segments))
