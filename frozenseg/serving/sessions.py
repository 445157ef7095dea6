"""Sessions of the page: an image with its features, its segments and the edits, bounded in number, memory and time."""

import asyncio
import secrets
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, TypeVar

from PIL import Image

from frozenseg.inference.editing import EditedImage
from frozenseg.inference.embedded_image import EmbeddedImage
from frozenseg.inference.mask_prompts import PromptedSegment
from frozenseg.modeling.inference_settings import InferenceSettings
from frozenseg.serving.model_worker import ModelWorker
from frozenseg.serving.name_memory import NameMemory
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.settings import BYTES_PER_MIB

StepAnswer = TypeVar("StepAnswer")
ID_BYTES = 16  # of randomness: an id cannot be guessed


@dataclass(frozen=True)
class SessionLimits:
    """Limits of all sessions together; beyond them the least recently used ones end.

    Attributes:
        sessions: largest number of sessions.
        seconds: time after its last request at which a session ends.
        feature_bytes: memory of the features of all images; dropped features are computed again when they are needed.
        image_bytes: memory of all images and their edits.
    """

    sessions: int = 64
    seconds: float = 3600.0
    feature_bytes: int = 1024 * BYTES_PER_MIB
    image_bytes: int = 1024 * BYTES_PER_MIB


@dataclass(eq=False)
class ImageSession:
    """An image that a user tries class names on.

    Attributes:
        id: secret of the client.
        image: upright RGB.
        edited: its segments.
        embedded: its features; None if they were dropped.
        settings: of the last prediction; None before the first.
        prompted: segment of the last prompt, which the user may add; None for none.
        lock: held by the request that uses the session.
        running: last call of the model for the session; it ends also if its request was given up.
    """

    id: str
    image: Image.Image
    edited: EditedImage
    embedded: EmbeddedImage | None = None
    settings: InferenceSettings | None = None
    prompted: PromptedSegment | None = None
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    running: "Future[Any] | None" = None

    @asynccontextmanager
    async def in_use(self) -> AsyncIterator[None]:
        """Hold the session: its requests, and the calls that were given up, run one after the other."""
        async with self.lock:
            if self.running is not None and self.is_running:  # its failure is that of the request that was given up
                await asyncio.gather(asyncio.wrap_future(self.running), return_exceptions=True)
            yield

    async def call(self, worker: ModelWorker, function: Callable[[], StepAnswer]) -> StepAnswer:
        """Run a function of the held session in the thread of the model.

        Raises:
            ServerBusyError: the queue is full.
        """
        self.running = worker.submit(function)
        answer: StepAnswer = await asyncio.wrap_future(self.running)
        return answer

    @property
    def is_running(self) -> bool:
        """True while the thread of the model uses the session."""
        return self.running is not None and not self.running.done()

    @property
    def feature_bytes(self) -> int:
        """Memory of the features."""
        return 0 if self.embedded is None else self.embedded.features.nbytes

    @property
    def image_bytes(self) -> int:
        """Memory of the image, of its edits and of the mask of a prompt."""
        prompted = 0 if self.prompted is None else self.prompted.mask.nbytes
        return self.image.width * self.image.height * 3 + self.edited.bytes + prompted

    def require_prompted(self) -> PromptedSegment:
        """Return the segment of the last prompt.

        Raises:
            RequestRefusedError: there is none.
        """
        if self.prompted is None:
            raise RequestRefusedError(HTTPStatus.CONFLICT, "There is no mask of a prompt: click on an object first.")
        return self.prompted


class SessionStore:
    """Sessions by id; all methods are called in the event loop.

    Args:
        limits: of all sessions together.
        memory: of names that were encoded for any session; None without.
        clock: seconds; for tests.
    """

    def __init__(
        self,
        limits: SessionLimits | None = None,
        memory: NameMemory | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.limits, self.memory, self._clock = limits or SessionLimits(), memory, clock
        self._sessions: OrderedDict[str, ImageSession] = OrderedDict()  # the least recently used one first
        self._used: dict[str, float] = {}

    def __len__(self) -> int:
        """Return the number of sessions."""
        return len(self._sessions)

    def open(self, image: Image.Image, edited: EditedImage) -> ImageSession:
        """Return a new session of an image."""
        session = ImageSession(secrets.token_urlsafe(ID_BYTES), image, edited)
        self._sessions[session.id] = session
        self._used[session.id] = self._clock()
        self.trim()
        return session

    def get(self, session_id: str) -> ImageSession:
        """Return a session, and count it as used.

        Raises:
            RequestRefusedError: it has ended, or never was.
        """
        self.trim()
        session = self._sessions.get(session_id)
        if session is None:
            raise RequestRefusedError(
                HTTPStatus.NOT_FOUND,
                f"The session has ended, as sessions do after {self.limits.seconds / 60:g} minutes or when there are "
                f"more than {self.limits.sessions}: send the image again.",
            )
        self._sessions.move_to_end(session_id)
        self._used[session_id] = self._clock()
        return session

    def close(self, session_id: str) -> None:
        """End a session; without effect if it has ended."""
        self._sessions.pop(session_id, None)
        self._used.pop(session_id, None)

    def trim(self) -> None:
        """End sessions and drop features beyond the limits; those of sessions in use stay."""
        oldest = self._clock() - self.limits.seconds
        for session_id in [each for each, used in self._used.items() if used < oldest]:
            self.close(session_id)
        while len(self._sessions) > 1 and self._is_full():
            self.close(next(iter(self._sessions)))
        with_features = [each for each in self._sessions.values() if each.embedded is not None]
        total = sum(each.feature_bytes for each in with_features)
        for session in with_features[:-1]:
            if total <= self.limits.feature_bytes:
                break
            if not (session.lock.locked() or session.is_running):  # the thread of the model may read them
                total -= session.feature_bytes
                session.embedded = None

    def _is_full(self) -> bool:
        used = sum(session.image_bytes for session in self._sessions.values())
        return len(self._sessions) > self.limits.sessions or used > self.limits.image_bytes
