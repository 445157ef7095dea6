"""Log and metrics of requests: an id for each, one line with status and time, the stack trace of a bug.

Every answer passes here last and gets the security headers.
"""

import secrets
import time
from http import HTTPStatus

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from frozenseg.log import get_logger
from frozenseg.serving.access import protect
from frozenseg.serving.error_answers import error_answer
from frozenseg.serving.metrics import ServerMetrics

logger = get_logger(__name__)
LONGEST_PATH = 120  # characters in the log
CLIENT_CLOSED = 499  # in the log only, as of nginx


class RequestLog:
    """Middleware that logs requests; clients see the id in the header ``X-Request-ID``, never a stack trace.

    Args:
        app: the application behind it.
        metrics: of the server.
    """

    def __init__(self, app: ASGIApp, metrics: ServerMetrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request_id = secrets.token_hex(6)
        status, start = 0, time.perf_counter()

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["X-Request-ID"] = request_id
                protect(headers)
            await send(message)

        try:
            await self.app(scope, receive, send_with_id)
        except ClientDisconnect:
            status = CLIENT_CLOSED
        except Exception:
            logger.exception("%s %s failed", request_id, _shown(scope))
            has_started, status = status > 0, int(HTTPStatus.INTERNAL_SERVER_ERROR)
            if not has_started:
                message = f"The server has a fault; its log describes it under the id {request_id}."
                await error_answer(status, message)(scope, receive, send_with_id)
        finally:
            seconds = time.perf_counter() - start
            self.metrics.observe_request(_route(scope), status, seconds)
            logger.info("%s %s %d %.0f ms", request_id, _shown(scope), status, 1000 * seconds)


def _shown(scope: Scope) -> str:
    """Return method and path for the log, without control characters."""
    path = ascii(scope["path"])[1:-1]
    return f"{scope['method'][:10]} {path if len(path) <= LONGEST_PATH else path[:LONGEST_PATH] + '…'}"


def _route(scope: Scope) -> str:
    """Return the path of the route that served a request, not that of the request: metrics have few labels."""
    return str(getattr(scope.get("route"), "path", "") or "other")
