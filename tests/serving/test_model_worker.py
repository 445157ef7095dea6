"""The thread of the model: batches, errors of single calls, the bounded queue, and its end."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.predictor import Segmenter
from frozenseg.serving.model_worker import ModelWorker, SegmentationCall
from frozenseg.serving.refusals import ServerBusyError
from frozenseg.serving.state import ServedModel
from frozenseg.vocabulary import Vocabulary

CIRCLE, SQUARE = Vocabulary.parse("red circle; water"), Vocabulary.parse("blue square; water")
Steps = Callable[[ModelWorker, list[int]], Coroutine[Any, Any, None]]


def work(segmenter: Segmenter, steps: Steps, **numbers: int) -> list[int]:
    """Run steps with a worker, and return the sizes of its batches."""
    batches: list[int] = []
    worker = ModelWorker(segmenter, observe=lambda images, seconds: batches.append(images), **numbers)
    worker.start()
    try:
        asyncio.run(steps(worker, batches))
    finally:
        worker.stop()
    assert not worker.is_alive
    return batches


async def blocked(worker: ModelWorker) -> tuple[threading.Event, "asyncio.Task[bool]"]:
    """Let the worker wait for an event."""
    started, gate = threading.Event(), threading.Event()
    task = asyncio.create_task(worker.call(lambda: (started.set(), gate.wait(10))[1]))
    await asyncio.to_thread(started.wait, 10)
    return gate, task


def test_waiting_images_of_one_vocabulary_are_segmented_together(model: ServedModel, scene: Image.Image) -> None:
    expected = model.segmenter(scene, CIRCLE, outputs="panoptic")

    async def steps(worker: ModelWorker, batches: list[int]) -> None:
        gate, first = await blocked(worker)
        calls = [SegmentationCall(scene, CIRCLE, outputs=("panoptic",))] * 3
        calls.insert(1, SegmentationCall(scene, SQUARE, outputs=("panoptic",)))
        tasks = [asyncio.create_task(worker.segment(call)) for call in calls]
        await asyncio.sleep(0)
        assert worker.waiting == 4
        gate.set()
        results = await asyncio.gather(*tasks)
        assert await first
        assert results[1].vocabulary == SQUARE
        for result in (results[0], results[2], results[3]):
            assert [each.name for each in result.segments] == [each.name for each in expected.segments]

    assert work(model.segmenter, steps, batch=2) == [1, 2, 1, 1]


def test_large_images_are_not_segmented_together(
    model: ServedModel, scene: Image.Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("frozenseg.serving.model_worker.BATCH_PIXELS", 2 * 128 * 128)

    async def steps(worker: ModelWorker, batches: list[int]) -> None:
        gate, first = await blocked(worker)
        tasks = [asyncio.create_task(worker.segment(SegmentationCall(scene, CIRCLE))) for _ in range(5)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(first, *tasks)

    assert work(model.segmenter, steps) == [1, 2, 2, 1]


@pytest.mark.parametrize("error", [DataError("too small"), IndexError("a bug"), MemoryError()])
def test_an_image_that_fails_does_not_fail_the_others(
    model: ServedModel, scene: Image.Image, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    small = scene.resize((64, 64))
    original = model.segmenter.segment_batch

    def failing(images: list[Image.Image], *arguments: Any) -> Any:
        if small in images:
            raise error
        return original(images, *arguments)

    monkeypatch.setattr(model.segmenter, "segment_batch", failing)

    async def steps(worker: ModelWorker, batches: list[int]) -> None:
        gate, first = await blocked(worker)
        tasks = [asyncio.create_task(worker.segment(SegmentationCall(image, CIRCLE))) for image in (scene, small)]
        await asyncio.sleep(0)
        gate.set()
        good, bad = await asyncio.gather(*tasks, return_exceptions=True)
        assert await first
        assert bad is error
        assert not isinstance(good, BaseException)

    assert work(model.segmenter, steps) == [1, 2]


def test_a_full_queue_refuses_and_calls_that_are_given_up_are_skipped(model: ServedModel, scene: Image.Image) -> None:
    async def steps(worker: ModelWorker, batches: list[int]) -> None:
        gate, first = await blocked(worker)
        tasks = [asyncio.create_task(worker.segment(SegmentationCall(scene, CIRCLE))) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(ServerBusyError, match="has 2 waiting requests, its limit") as refusal:
            await worker.call(int)
        assert int(refusal.value.headers["Retry-After"]) >= 1
        for task in tasks:
            task.cancel()
        await asyncio.sleep(0)
        gate.set()
        assert await first
        assert await worker.call(lambda: 7) == 7
        assert worker.waiting == 0

    assert work(model.segmenter, steps, capacity=2) == [1, 1]


def test_the_end_answers_what_waits_and_refuses_the_rest(model: ServedModel) -> None:
    async def steps(worker: ModelWorker, batches: list[int]) -> None:
        gate, first = await blocked(worker)
        second = asyncio.create_task(worker.call(lambda: 2))
        await asyncio.sleep(0)
        stopping = asyncio.create_task(asyncio.to_thread(worker.stop))
        while worker.is_alive:
            await asyncio.sleep(0.01)
        with pytest.raises(ServerBusyError, match="The server is stopping"):
            await worker.call(int)
        gate.set()
        await stopping
        assert (await first, await second) == (True, 2)

    work(model.segmenter, steps)


def test_errors_are_raised_where_the_answer_is_awaited(model: ServedModel) -> None:
    async def steps(worker: ModelWorker, batches: list[int]) -> None:
        with pytest.raises(ZeroDivisionError):
            await worker.call(lambda: 1 // 0)
        assert await worker.call(lambda: 1) == 1

    work(model.segmenter, steps)
