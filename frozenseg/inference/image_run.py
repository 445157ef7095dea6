"""Resumable run over images: decode, segment in batches, write the files of each image, keep a record of it.

Batches are consecutive images. On resuming, a batch with an unfinished image is segmented again as a whole, as the size
of a batch changes the last digits of its results: the files are those of an uninterrupted run, byte by byte.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import torch
from PIL import Image

from frozenseg.atomic import recorded_writes
from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.background_writes import BackgroundWrites
from frozenseg.inference.result import Result
from frozenseg.inference.run_folder import ImageRecord, RunFolder
from frozenseg.inference.sources.loader import batches_of, load_batches
from frozenseg.inference.sources.source_image import PendingImage, SourceImage
from frozenseg.log import get_logger

logger = get_logger(__name__)
SegmentImages = Callable[[list[Image.Image]], list[Result]]
WriteOutputs = Callable[[SourceImage, Result], ImageRecord]
MAX_SHOWN = 3  # names in a message
SKIPPED = "skipped"  # key of the reason in the record of an image without outputs


@dataclass
class RunReport:
    """Progress of a run.

    Attributes:
        versions: version of each image so far by its name, in the order of the input.
        done: number of images that this call has finished.
        resumed: number of images that an earlier call has finished.
        skipped: reason of each image without outputs, by name.
    """

    versions: dict[str, str] = field(default_factory=dict)
    done: int = 0
    resumed: int = 0
    skipped: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ImageRun:
    """A run over images with outputs in a folder.

    Attributes:
        folder: records of finished images.
        segment: returns the results of images; called for batches with unfinished images only.
        write: writes the files of an image and returns its record.
        batch: images that are segmented together.
        workers: threads that decode images in advance, and as many that write files; 0 for none.
        skip_bad: skip images that cannot be decoded or are too large.
        variant: returns what the files of an image depend on besides its content, by its name.
        check: raises DataError for a decoded image that is too large to segment.
    """

    folder: RunFolder
    segment: SegmentImages
    write: WriteOutputs
    batch: int = 1
    workers: int = 2
    skip_bad: bool = False
    variant: Callable[[str], str] = lambda _: ""
    check: Callable[[Image.Image], None] = lambda _: None

    def __call__(self, images: Iterable[PendingImage]) -> Iterator[RunReport]:
        """Segment the images that are not finished.

        Yields:
            The report so far, after each image and once at the end.

        Raises:
            DataError: an image cannot be decoded or segmented.
            ConfigError: the outputs of an image cannot be written; those of earlier images are complete.
        """
        report = RunReport()
        with BackgroundWrites(self.workers) as writes:
            for _ in self._written(images, report, writes):
                report.done += 1
                yield report
        yield report

    def _written(self, images: Iterable[PendingImage], report: RunReport, writes: BackgroundWrites) -> Iterator[None]:
        """Segment and write the images that are not finished; yields None for each that is written."""
        unfinished: set[str] = set()
        for loaded in load_batches(self._unfinished(images, report, unfinished), self.workers):
            checked = [self._checked(image) for image in loaded]
            for image in checked:
                if image.image is None:
                    self._skip(image, report)
            good = [image for image in checked if image.image is not None]
            for image, result in zip(good, self._segmented(good), strict=True):
                if image.name in unfinished:
                    yield from writes.submit(partial(self._write, image, result, report.versions[image.name]))
            unfinished.difference_update(image.name for image in loaded)
        yield from writes.rest()

    def records(self, report: RunReport) -> Iterator[ImageRecord]:
        """Yield the records of all images with outputs, in the order of the input."""
        for name, version in report.versions.items():
            record = self.folder.record(name, version)
            if record is not None and SKIPPED not in record:
                yield record

    def _unfinished(
        self, images: Iterable[PendingImage], report: RunReport, unfinished: set[str]
    ) -> Iterator[list[PendingImage]]:
        """Yield the batches with unfinished images, and collect the names of these images."""
        for batch in batches_of(images, self.batch):
            report.versions.update((image.name, f"{image.version} {self.variant(image.name)}") for image in batch)
            names = {image.name for image in batch if not self._is_finished(image.name, report)}
            unfinished |= names
            if names:
                yield batch

    def _is_finished(self, name: str, report: RunReport) -> bool:
        """Return True if an earlier call has finished or skipped an image, and count it."""
        record = self.folder.record(name, report.versions[name])
        if record is None or (SKIPPED in record and not self.skip_bad):
            return False
        if SKIPPED in record:
            report.skipped[name] = record[SKIPPED]
        else:
            report.resumed += 1
        return True

    def _checked(self, image: SourceImage) -> SourceImage:
        """Return an image, with an error in place of the pixels if it is too large to segment."""
        try:
            if image.image is not None:
                self.check(image.image)
        except DataError as error:
            return replace(image, image=None, error=f"{image.name}: {error}")
        return image

    def _segmented(self, images: Sequence[SourceImage]) -> list[Result]:
        """Return the results of decoded images; messages name them."""
        names = ", ".join(image.name for image in images[:MAX_SHOWN]) + (", …" if len(images) > MAX_SHOWN else "")
        try:
            return self.segment([image.image for image in images if image.image is not None]) if images else []
        except DataError as error:
            raise DataError(f"{names}: {error}") from error
        except (torch.OutOfMemoryError, MemoryError) as error:
            advice = f"lower --batch ({len(images)} images)" if len(images) > 1 else "use smaller images"
            raise DataError(
                f"The memory does not suffice to segment {names}: {advice}, or lower INPUT.MIN_SIZE_TEST; finished "
                "images are kept."
            ) from error

    def _skip(self, image: SourceImage, report: RunReport) -> None:
        if not self.skip_bad:
            raise DataError(f"{image.error.rstrip('.')}; or leave such images out with --skip-bad.")
        if image.name not in report.skipped:
            logger.warning("Skipped: %s", image.error)
        report.skipped[image.name] = image.error
        if image.path is not None:  # a download may succeed the next time
            with self._named_failure(image):
                self.folder.save(image.name, report.versions[image.name], {SKIPPED: image.error})

    def _write(self, image: SourceImage, result: Result, version: str) -> None:
        with self._named_failure(image):
            with recorded_writes() as files:
                record = self.write(image, result)
            self.folder.save(image.name, version, record, files)

    @contextmanager
    def _named_failure(self, image: SourceImage) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise ConfigError(
                f"The outputs of {image.name} cannot be written to {self.folder.folder} ({error.strerror or error}): "
                "free some space or choose another folder, then repeat the command; finished images are kept."
            ) from error
