"""Thread that runs the model: a bounded queue of calls, in which images that wait together are segmented together."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, TypeVar

from PIL import Image

from frozenseg.inference.predictor import Segmenter
from frozenseg.inference.requested_outputs import check_memory
from frozenseg.inference.result import KINDS, Result
from frozenseg.serving.refusals import ServerBusyError
from frozenseg.structures.output_kinds import OutputKind
from frozenseg.vocabulary import Vocabulary

CallAnswer = TypeVar("CallAnswer")
BATCH_PIXELS = 16_000_000  # of the images in a batch, whose outputs are in memory together
OLD_SHARE = 0.8  # of the running mean in the time of a call


@dataclass(frozen=True)
class SegmentationCall:
    """Segmentation of an image.

    Attributes:
        image: upright RGB.
        vocabulary: classes.
        sam_masks: False for no SAM proposals.
        outputs: to compute.
    """

    image: Image.Image
    vocabulary: Vocabulary
    sam_masks: bool = True
    outputs: tuple[OutputKind, ...] = KINDS

    @property
    def group(self) -> tuple[object, ...]:
        """Key that calls share which can be segmented together."""
        return (type(self.vocabulary), self.vocabulary, self.sam_masks, self.outputs)

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return self.image.width * self.image.height


@dataclass(eq=False)
class _Job:
    """A queued call: of the model with an image, or any function."""

    work: SegmentationCall | Callable[[], Any]
    future: "Future[Any]" = field(default_factory=Future)


class ModelWorker:
    """Runs a segmenter in one thread.

    Args:
        segmenter: the model.
        capacity: largest number of waiting calls; further ones are refused.
        batch: largest number of images that are segmented together; large ones are fewer.
        observe: called with the number of images and the seconds of each batch; for metrics.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        capacity: int = 16,
        batch: int = 8,
        observe: Callable[[int, float], None] = lambda images, seconds: None,
    ) -> None:
        self.segmenter, self.capacity, self.batch = segmenter, capacity, batch
        self._observe = observe
        self._jobs: deque[_Job] = deque()
        self._changed = threading.Condition()
        self._is_stopping = False
        self._seconds_per_call = 1.0
        self._thread = threading.Thread(target=self._run, name="model", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the queued calls, accept no further ones, and end the thread."""
        with self._changed:
            self._is_stopping = True
            self._changed.notify()
        self._thread.join()

    @property
    def waiting(self) -> int:
        """Number of calls in the queue."""
        return len(self._jobs)

    @property
    def retry_after(self) -> float:
        """Seconds in which the queue will be shorter, estimated from the last calls."""
        return (len(self._jobs) + 1) * self._seconds_per_call

    @property
    def is_alive(self) -> bool:
        """True while the thread takes calls."""
        return self._thread.is_alive() and not self._is_stopping

    async def segment(self, call: SegmentationCall) -> Result:
        """Segment an image, together with others that wait.

        Raises:
            ServerBusyError: the queue is full.
            DataError: the outputs do not fit into memory.
        """
        result: Result = await asyncio.wrap_future(self._put(_Job(call)))
        return result

    async def call(self, function: Callable[[], CallAnswer]) -> CallAnswer:
        """Run a function in the thread of the model, such as ``partial(segmenter.embed, image)``.

        Raises:
            ServerBusyError: the queue is full.
        """
        answer: CallAnswer = await asyncio.wrap_future(self.submit(function))
        return answer

    def submit(self, function: Callable[[], CallAnswer]) -> "Future[CallAnswer]":
        """Queue a function for the thread of the model, which finishes it also if nothing waits for it any longer.

        Raises:
            ServerBusyError: the queue is full.
        """
        return self._put(_Job(function))

    def _put(self, job: _Job) -> "Future[Any]":
        with self._changed:
            if self._is_stopping:
                raise ServerBusyError("The server is stopping: try again later.", self.retry_after)
            if len(self._jobs) >= self.capacity:
                raise ServerBusyError(
                    f"The server has {len(self._jobs)} waiting requests, its limit: try again in some seconds.",
                    self.retry_after,
                )
            self._jobs.append(job)
            self._changed.notify()
        return job.future

    def _run(self) -> None:
        while jobs := self._take():
            start = time.perf_counter()
            if isinstance(jobs[0].work, SegmentationCall):
                self._segment([(job, job.work) for job in jobs if isinstance(job.work, SegmentationCall)])
            else:
                _settle(jobs[0], jobs[0].work)
            seconds = time.perf_counter() - start
            self._seconds_per_call = OLD_SHARE * self._seconds_per_call + (1 - OLD_SHARE) * seconds / len(jobs)
            self._observe(len(jobs), seconds)

    def _take(self) -> list[_Job]:
        """Return the first call with those that can be segmented with it; empty when the worker stops."""
        with self._changed:
            while True:
                self._changed.wait_for(lambda: self._jobs or self._is_stopping)
                if not self._jobs:
                    return []
                jobs = [job for job in self._first_group() if job.future.set_running_or_notify_cancel()]
                if jobs:
                    return jobs

    def _first_group(self) -> list[_Job]:
        """Remove the first call from the queue, with those of its group up to the size of a batch."""
        first = self._jobs.popleft()
        if not isinstance(first.work, SegmentationCall):
            return [first]
        key, jobs, pixels = first.work.group, [first], first.work.pixels
        for job in list(self._jobs):
            if not isinstance(job.work, SegmentationCall) or job.work.group != key:
                continue
            pixels += job.work.pixels
            if len(jobs) == self.batch or pixels > BATCH_PIXELS:
                break
            self._jobs.remove(job)
            jobs.append(job)
        return jobs

    def _segment(self, jobs: Sequence[tuple[_Job, SegmentationCall]]) -> None:
        """Segment images together; if that fails, one after the other, so that each has its own error."""
        calls = [call for _, call in jobs]
        if len(jobs) == 1:
            _settle(jobs[0][0], lambda: self._results(calls)[0])
            return
        try:
            results = self._results(calls)
        except Exception:  # noqa: BLE001 (raised again for the image that it belongs to)
            for job, call in jobs:
                self._segment([(job, call)])
            return
        for (job, _), result in zip(jobs, results, strict=True):
            job.future.set_result(result)

    def _results(self, calls: Sequence[SegmentationCall]) -> list[Result]:
        first = calls[0]
        settings = self.segmenter.settings(first.vocabulary, first.sam_masks)
        for call in calls:
            check_memory(self.segmenter.model, call.image, settings, call.outputs)
        return self.segmenter.segment_batch([call.image for call in calls], settings, first.outputs)


def _settle(job: _Job, work: Callable[[], Any]) -> None:
    """Run a call and pass its result or its exception to those who wait for it."""
    try:
        answer = work()
    except BaseException as error:  # noqa: BLE001 (raised where the result is awaited)
        job.future.set_exception(error)
    else:
        job.future.set_result(answer)
