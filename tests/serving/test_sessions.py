"""Sessions of the page: they end with time and number, and features are dropped with memory."""

import asyncio
import threading

import numpy as np
import pytest
import torch
from PIL import Image

from frozenseg.errors import ShapeError
from frozenseg.inference.mask_prompts import PromptedSegment
from frozenseg.inference.predictor import Segmenter
from frozenseg.serving.model_worker import ModelWorker
from frozenseg.serving.name_memory import NameMemory
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.session_model import embed_session, empty_edits
from frozenseg.serving.sessions import ImageSession, SessionLimits, SessionStore
from frozenseg.vocabulary import Vocabulary
from tests.serving.conftest import toyworld

IMAGE = Image.new("RGB", (20, 10))


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def opened(store: SessionStore) -> ImageSession:
    return store.open(IMAGE, empty_edits(IMAGE))


def test_a_session_ends_after_its_time() -> None:
    clock = Clock()
    store = SessionStore(SessionLimits(seconds=60), clock=clock)
    first, second = opened(store), opened(store)
    clock.now = 50
    assert store.get(first.id) is first
    clock.now = 100
    with pytest.raises(RequestRefusedError, match="ended, as sessions do after 1 minutes") as refusal:
        store.get(second.id)
    assert refusal.value.status == 404
    assert store.get(first.id) is first
    assert len(store) == 1


def test_the_least_recently_used_session_ends_first() -> None:
    store = SessionStore(SessionLimits(sessions=2))
    first, second = opened(store), opened(store)
    store.get(first.id)
    third = opened(store)
    assert store.get(first.id) is first
    assert store.get(third.id) is third
    with pytest.raises(RequestRefusedError):
        store.get(second.id)


def test_images_and_edits_are_bounded() -> None:
    store = SessionStore(SessionLimits(image_bytes=2 * 20 * 10 * 3 + 200))
    sessions = [opened(store) for _ in range(5)]
    assert len(store) == 2
    sessions[-1].prompted = PromptedSegment(np.zeros((10, 20), bool), (), 0.0, 0.0)
    store.trim()
    assert len(store) == 1  # the mask of a prompt counts, too
    sessions[-1].prompted = None
    last = opened(store)
    store.close(last.id)
    store.close(last.id)
    assert len(store) == 1


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return toyworld()


def test_features_are_dropped_and_computed_again(segmenter: Segmenter) -> None:
    store = SessionStore(SessionLimits(feature_bytes=1))
    first = opened(store)
    assert embed_session(segmenter, first) > 0
    assert embed_session(segmenter, first) == 0
    store.trim()
    assert first.embedded is not None  # the session in use keeps its features
    second = opened(store)
    embed_session(segmenter, second)
    asyncio.run(first.lock.acquire())
    store.trim()
    assert first.embedded is not None  # a request reads them
    first.lock.release()
    store.trim()
    assert first.embedded is None
    assert second.feature_bytes > 1000
    assert embed_session(segmenter, first) > 0


def test_a_session_is_held_until_a_call_that_was_given_up_has_ended(segmenter: Segmenter) -> None:
    store = SessionStore(SessionLimits(feature_bytes=1))
    session, steps = opened(store), []
    started, gate = threading.Event(), threading.Event()
    worker = ModelWorker(segmenter)

    def slow_step() -> None:
        embed_session(segmenter, session)
        started.set()
        gate.wait(10)
        steps.append("step of the model")

    async def request() -> None:
        async with session.in_use():
            await session.call(worker, slow_step)

    async def edit() -> None:
        async with session.in_use():
            steps.append("edit")

    async def run() -> None:
        given_up = asyncio.create_task(request())
        await asyncio.to_thread(started.wait, 10)
        given_up.cancel()
        await asyncio.wait([given_up])
        opened(store)
        embed_session(segmenter, opened(store))
        store.trim()
        assert session.embedded is not None  # the thread reads the features
        editing = asyncio.create_task(edit())
        await asyncio.sleep(0.02)
        assert steps == []
        gate.set()
        await editing

    worker.start()
    asyncio.run(run())
    worker.stop()
    assert steps == ["step of the model", "edit"]


def test_ids_are_secret() -> None:
    store = SessionStore()
    ids = {opened(store).id for _ in range(20)}
    assert len(ids) == 20
    assert min(map(len, ids)) >= 20


def test_a_changed_vocabulary_encodes_its_new_names_only(segmenter: Segmenter, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = segmenter.model.text_classifier
    encoded: list[tuple[str, ...]] = []
    embed = classifier.embed
    monkeypatch.setattr(classifier, "embed", lambda names: (encoded.append(names), embed(names))[1])
    memory = NameMemory(classifier, limit=4)
    first = Vocabulary.from_strings(["one thing,first thing", "two things"])
    second = Vocabulary.from_strings(["two things", "third thing,one thing"])
    classifier.forget()
    assert memory.prepare(first) == 3
    assert memory.prepare(first) == 0
    assert memory.prepare(second) == 1
    assert encoded == [("one thing", "first thing", "two things"), ("third thing",)]
    remembered = classifier(second, torch.ones(1, 64)).embeddings[:3]
    torch.testing.assert_close(remembered, embed(second.synonyms))
    assert memory.prepare(Vocabulary.from_strings(["fifth thing", "first thing"])) == 1
    classifier.forget()
    assert memory.prepare(first) == 1  # one of its names was forgotten
    with pytest.raises(ShapeError, match="embeddings"):
        classifier.remember(first, torch.zeros(2, 64))
