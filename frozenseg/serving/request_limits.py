"""Limits of requests: bytes of the body, time, and the number of requests that are served at the same time.

A request whose client has disconnected is given up, so that the model does not work for nobody.
"""

from collections.abc import Callable
from http import HTTPStatus

import anyio
import anyio.lowlevel
from fastapi import HTTPException
from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
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
        """Serve a request in the time that it has, as long as its client waits."""
        call = _LimitedCall(scope, receive, send, self.limits.upload_bytes)
        with anyio.move_on_after(self.limits.seconds) as timer:
            await call.serve(self.app)
        if timer.cancelled_caught and not call.has_answer:
            await self._late_answer(call.has_body or scope["method"] in WITHOUT_BODY)(scope, receive, send)

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


class _LimitedCall:
    """A request whose body is counted while it arrives.

    Args:
        scope: of the request.
        receive: of the request.
        send: of the request.
        limit: largest number of bytes of the body.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, limit: int) -> None:
        self._scope, self._receive, self._send, self._limit = scope, receive, send, limit
        self._declared = _declared_bytes(Headers(scope=scope))
        self._received = 0
        self._whole_body = anyio.Event()
        self.has_answer = False
        self._has_left = False

    @property
    def has_body(self) -> bool:
        """True if the body has arrived."""
        return self._whole_body.is_set()

    async def serve(self, app: ASGIApp) -> None:
        """Run the application; it is cancelled when the client disconnects.

        Raises:
            ClientDisconnect: the client has disconnected.
        """
        fault: Exception | None = None
        async with anyio.create_task_group() as group:
            group.start_soon(self._cancel_at_disconnect, group.cancel_scope)
            try:
                await app(self._scope, self._receive_limited, self._send_noted)
            except Exception as error:  # noqa: BLE001 (raised below: a group of tasks would wrap it)
                fault = error
            group.cancel_scope.cancel()
        if fault is not None:
            raise fault
        if self._has_left and not self.has_answer:
            raise ClientDisconnect

    async def _cancel_at_disconnect(self, cancel_scope: anyio.CancelScope) -> None:
        await self._whole_body.wait()
        while (await self._receive())["type"] != "http.disconnect":
            await anyio.lowlevel.checkpoint()
        self._has_left = True
        cancel_scope.cancel()

    async def _receive_limited(self) -> Message:
        message = await self._counted()
        if max(self._received, self._declared) > self._limit:
            while not self.has_body and self._received < DISCARDED * self._limit:
                await self._counted()  # a client that still sends would not read the answer
            sentence = (
                f"The request has more than {self._limit / BYTES_PER_MIB:g} MiB, the limit: send a smaller image."
            )
            headers = {"Connection": "close"}
            raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, sentence, headers)
        return message

    async def _counted(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if not message.get("more_body", False):
            self._whole_body.set()
        return message

    async def _send_noted(self, message: Message) -> None:
        self.has_answer = True
        await self._send(message)


def _declared_bytes(headers: Headers) -> int:
    """Return the size that a request declares, 0 for none."""
    text = headers.get("content-length", "")
    return int(text) if text.isdecimal() and len(text) < 20 else 0
