"""Background scoring: outputs are scored in a thread while the model computes the next ones."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Any


class BackgroundScoring:
    """Context manager that scores outputs in their order, at most one batch behind the model.

    An error of scoring is raised by the next :meth:`submit`, or at the end of the block; an error of the block itself
    takes precedence.

    Args:
        score: scores the outputs of a batch; it is called in one other thread.

    Attributes:
        seconds: duration of all calls of ``score``.
    """

    def __init__(self, score: Callable[..., None]) -> None:
        self.seconds = 0.0
        self._score = score
        self._thread = ThreadPoolExecutor(1, "scoring")
        self._running: Future[None] | None = None

    def __enter__(self) -> "BackgroundScoring":
        """Return the object itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Wait for the last batch."""
        self._thread.shutdown()
        if error is None:
            self._wait()

    def submit(self, *outputs: Any) -> None:
        """Wait until the batch before is scored, then start to score this one.

        Args:
            *outputs: arguments of ``score``.
        """
        self._wait()
        self._running = self._thread.submit(self._timed, *outputs)

    def _timed(self, *outputs: Any) -> None:
        started = time.perf_counter()
        self._score(*outputs)
        self.seconds += time.perf_counter() - started

    def _wait(self) -> None:
        if self._running is not None:
            self._running.result()
