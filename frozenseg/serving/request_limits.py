"""Limits of requests: bytes of the body, time, and the number of requests that are served at the same time."""

from collections.abc import Callable
from http import HTTPStatus

import anyio
from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frozenseg.serving.error_answers import error_answer
from frozenseg.serving.settings import BYTES_PER_MIB, ServerLimits

WITHOUT_BODY = ("GET", "HEAD", "OPTIONS")
DISCARDED = 8  # times the limit: bytes of a body that are read without being kept


class RequestLimits:
    """Middleware that refuses requests beyond the limits.

    Args:
        app: the application behind it.
        limits: of requests.
        retry_after: returns the seconds after which a client should try again.
    """

    def __init__(self, app: ASGIApp, limits: ServerLimits, retry_after: Callable[[], float]) -> None:
        self.app, self.limits, self.retry_after = app, limits, retry_after
        self._served = 0  # requests with a body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif scope["method"] in WITHOUT_BODY:
            await self._timed(scope, receive, send)
        elif self._served >= self.limits.requests:
            headers = {"Retry-After": str(max(1, round(self.retry_after()))), "Connection": "close"}
            message = f"The server has {self._served} requests, its limit: try again after the seconds of Retry-After."
            await error_answer(HTTPStatus.SERVICE_UNAVAILABLE, message, headers)(scope, receive, send)
        else:
            self._served += 1
            try:
                await self._timed(scope, receive, send)
            finally:
                self._served -= 1

    async def _timed(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request in the time that it has."""
        declared = _declared_bytes(Headers(scope=scope))
        received, has_body, has_started = 0, False, False

        async def receive_limited() -> Message:
            nonlocal received, has_body
            message = await receive()
            received += len(message.get("body", b""))
            has_body = not message.get("more_body", False)
            if max(received, declared) > self.limits.upload_bytes:
                while not has_body and received < DISCARDED * self.limits.upload_bytes:
                    rest = await receive()  # a client that still sends would not read the answer
                    received += len(rest.get("body", b""))
                    has_body = not rest.get("more_body", False)
                status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
                raise HTTPException(status, self._too_large(), headers={"Connection": "close"})
            return message

        async def send_noted(message: Message) -> None:
            nonlocal has_started
            has_started = True
            await send(message)

        with anyio.move_on_after(self.limits.seconds) as timer:
            await self.app(scope, receive_limited, send_noted)
        if timer.cancelled_caught and not has_started:
            await self._late_answer(has_body or scope["method"] in WITHOUT_BODY)(scope, receive, send)

    def _late_answer(self, has_body: bool) -> ASGIApp:
        seconds = f"{self.limits.seconds:g} seconds"
        if not has_body:
            return error_answer(
                HTTPStatus.REQUEST_TIMEOUT,
                f"The body of the request took more than {seconds}: send a smaller image.",
                {"Connection": "close"},
            )
        headers = {"Retry-After": str(max(1, round(self.retry_after())))}
        message = f"The request took more than {seconds}: try again later, with a smaller image or fewer class names."
        return error_answer(HTTPStatus.SERVICE_UNAVAILABLE, message, headers)

    def _too_large(self) -> str:
        limit = self.limits.upload_bytes / BYTES_PER_MIB
        return f"The request has more than {limit:g} MiB, the limit: send a smaller image."


def _declared_bytes(headers: Headers) -> int:
    """Return the size that a request declares, 0 for none."""
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 20 else 0
