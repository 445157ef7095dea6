"""Refusals of requests: an HTTP status with one sentence."""

from collections.abc import Mapping
from http import HTTPStatus

from frozenseg.errors import FrozenSegError


class RequestRefusedError(FrozenSegError):
    """A request that is not served.

    Args:
        status: of the answer.
        message: one sentence.
        headers: of the answer, such as ``Retry-After``.
    """

    def __init__(self, status: HTTPStatus, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.headers = status, dict(headers or {})


class ServerBusyError(RequestRefusedError):
    """The queue is full, or the server is stopping.

    Args:
        reason: one sentence.
        retry_after: seconds after which the client should try again.
    """

    def __init__(self, reason: str, retry_after: float) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, reason, {"Retry-After": str(max(1, round(retry_after)))})
