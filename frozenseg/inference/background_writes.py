"""Background writing: the files of finished images are written by threads while the model segments the next ones.

Encoding and NumPy release Python's lock for most of the time. At most ``WAITING`` images wait, whatever the number of
images.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType

WAITING = 16  # works that are not finished


class BackgroundWrites:
    """Works in threads, whose errors are raised in the thread of the caller, in the order of submission.

    After an error of a work no further one is started. Leaving the context waits for all works, also after an error
    elsewhere, as what they write is computed already; after an interruption it waits for those that are running only.

    Args:
        threads: number of threads; 0 to work in the thread of the caller.
        waiting: largest number of works that are not finished; beyond it, a submission waits for the first one.
    """

    def __init__(self, threads: int, waiting: int = WAITING) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="frozenseg-writer") if threads else None
        self._waiting = waiting
        self._works: deque[Future[None]] = deque()
        self._failed = threading.Event()

    def __enter__(self) -> "BackgroundWrites":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._pool is not None:
            is_interrupted = kind is not None and not issubclass(kind, Exception)
            self._pool.shutdown(cancel_futures=is_interrupted)

    def submit(self, work: Callable[[], None]) -> Iterator[None]:
        """Start a work; yields None for each work that is finished, in their order.

        Raises:
            Exception: of a work.
        """
        if self._pool is None:
            work()
            yield None
            return
        self._works.append(self._pool.submit(self._guarded, work))
        while self._works and (len(self._works) > self._waiting or self._works[0].done()):
            yield self._works.popleft().result()

    def rest(self) -> Iterator[None]:
        """Wait for the remaining works; yields None for each.

        Raises:
            Exception: of a work.
        """
        while self._works:
            yield self._works.popleft().result()

    def _guarded(self, work: Callable[[], None]) -> None:
        if self._failed.is_set():
            return
        try:
            work()
        except BaseException:
            self._failed.set()
            raise
