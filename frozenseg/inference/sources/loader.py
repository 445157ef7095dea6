"""Background loading: the images of the next batches are decoded by threads while the model works.

Pillow's decoders release Python's lock, so that threads decode in parallel. At most ``ahead`` batches are decoded and
not used yet, whatever the number of images.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

from frozenseg.inference.sources.source_image import PendingImage, SourceImage

BatchItem = TypeVar("BatchItem")
AHEAD = 2  # batches


def batches_of(items: Iterable[BatchItem], size: int) -> Iterator[list[BatchItem]]:
    """Yield consecutive items as lists of ``size``, the last one of the rest.

    Args:
        items: read while the batches are used.
        size: number of items, at least 1.
    """
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


def load_batches(
    batches: Iterable[Sequence[PendingImage]], workers: int, ahead: int = AHEAD
) -> Iterator[list[SourceImage]]:
    """Decode the images of batches, in order.

    Args:
        batches: read in the thread of the caller, not further than ``ahead`` batches in advance.
        workers: number of threads; 0 to decode in the thread of the caller.
        ahead: batches that are decoded in advance.

    Yields:
        The images of a batch; those that cannot be decoded have an ``error``.
    """
    if workers == 0:
        for batch in batches:
            yield [pending.read() for pending in batch]
        return
    iterator = iter(batches)
    waiting: deque[list[Future[SourceImage]]] = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="frozenseg-loader")
    try:
        while True:
            for batch in islice(iterator, ahead + 1 - len(waiting)):
                waiting.append([pool.submit(pending.read) for pending in batch])
            if not waiting:
                return
            yield [future.result() for future in waiting.popleft()]
    finally:
        pool.shutdown(cancel_futures=True)
