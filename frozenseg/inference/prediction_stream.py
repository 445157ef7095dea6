"""Predictions for any number of images, one after the other: decoded in the background, segmented in batches."""

from collections.abc import Callable, Iterable, Iterator

from PIL import Image

from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.result import Result
from frozenseg.inference.sources.loader import batches_of, load_batches
from frozenseg.inference.sources.source_image import PendingImage, SourceImage
from frozenseg.log import get_logger

logger = get_logger(__name__)
MAX_BATCH, MAX_WORKERS = 1024, 256


def predict_images(
    images: Iterable[PendingImage],
    segment: Callable[[list[Image.Image]], list[Result]],
    batch: int,
    workers: int,
    skip_bad: bool,
) -> Iterator[tuple[SourceImage, Result]]:
    """Segment images in batches.

    Args:
        images: read while the results are used.
        segment: returns the results of images.
        batch: number of images that are segmented together.
        workers: number of threads that decode images in advance.
        skip_bad: leave out images that cannot be decoded, with a warning.

    Yields:
        Each image with its result, in the order of the input.

    Raises:
        DataError: an image cannot be decoded.
    """
    for loaded in load_batches(batches_of(images, batch), workers):
        good = []
        for source in loaded:
            if source.image is None and not skip_bad:
                raise DataError(source.error)
            if source.image is None:
                logger.warning("Skipped: %s", source.error)
            else:
                good.append((source, source.image))
        results = segment([image for _, image in good]) if good else []
        yield from ((source, result) for (source, _), result in zip(good, results, strict=True))


def check_numbers(batch: int, workers: int) -> None:
    """Check the number of images of a batch and of threads.

    Raises:
        ConfigError: a number is out of range.
    """
    for name, value, smallest, largest in (("batch", batch, 1, MAX_BATCH), ("workers", workers, 0, MAX_WORKERS)):
        if type(value) is not int or not smallest <= value <= largest:
            raise ConfigError(f"{name} is {value!r:.60}, expected a whole number from {smallest} to {largest}.")
