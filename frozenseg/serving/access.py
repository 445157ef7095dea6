"""Access control: host names, requests of other web pages, and the token; headers that protect the page.

A page of another site can make a browser send requests to this machine. Requests with a foreign ``Origin``, or that the
browser marks as cross-site, are refused; so are requests with an unknown name as ``Host``, which a name server of an
attacker can lead to this machine (DNS rebinding). CORS is off: no answer allows another site to read it.
"""

import base64
import binascii
import hmac
import ipaddress
import socket
from http import HTTPStatus
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Receive, Scope, Send

from frozenseg.serving.error_answers import error_answer
from frozenseg.serving.settings import LOOPBACK, ServerSettings

PUBLIC_PATHS = ("/healthz", "/health")  # without a token: for supervisors
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; font-src 'self'; "
    "connect-src 'self'; media-src 'self' blob:; worker-src 'self'; manifest-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SECURITY_HEADERS = {
    "Content-Security-Policy": CONTENT_POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


class AccessControl:
    """Middleware that refuses requests without permission.

    Args:
        app: the application behind it.
        settings: of the server.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings) -> None:
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
        elif (refusal := self._refusal(scope)) is not None:
            status, message = refusal
            challenge = {"WWW-Authenticate": 'Basic realm="FrozenSeg", charset="UTF-8"'}
            headers = challenge if status == HTTPStatus.UNAUTHORIZED else None
            await error_answer(status, message, headers)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _refusal(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        """Return status and sentence for a request without permission; None for one with it."""
        headers, is_safe = Headers(scope=scope), scope["method"] in SAFE_METHODS
        if not self._is_known_host(headers):
            return HTTPStatus.MISDIRECTED_REQUEST, (
                f"The request is for the host {headers.get('host', '')[:100]!r}, expected a name of this machine: "
                "start the server with --allowed-host NAME."
            )
        if _is_of_another_site(headers, is_safe):
            return HTTPStatus.FORBIDDEN, "The request comes from the page of another site, which is not allowed."
        if self.settings.token and scope["path"] not in PUBLIC_PATHS and not has_token(headers, self.settings.token):
            return HTTPStatus.UNAUTHORIZED, (
                "The request has no valid token: send the header `Authorization: Bearer TOKEN` or `Token: TOKEN`, or "
                "the token as password."
            )
        return None

    def _is_known_host(self, headers: Headers) -> bool:
        if len(headers.getlist("host")) > 1:
            return False
        settings, name = self.settings, _host_name(f"//{headers.get('host', '')}")
        if name in (*LOOPBACK, *settings.allowed_hosts):
            return True
        if settings.is_local or settings.allowed_hosts:
            return False
        return bool(settings.token) or _is_ip_address(name) or name == socket.gethostname().lower()


def protect(headers: MutableHeaders) -> None:
    """Add the security headers to those of an answer, as far as it has none of its kind."""
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


def has_token(headers: Headers, token: str) -> bool:
    """Return True if a request carries the token; the comparison takes the same time for all wrong ones.

    Args:
        headers: of the request: ``Token``, or ``Authorization`` as Bearer, Token or Basic (the password).
        token: of the server.
    """
    scheme, _, value = headers.get("authorization", "").partition(" ")
    candidates = [headers.get("token", "")]
    if scheme.lower() in ("bearer", "token"):
        candidates.append(value.strip())
    if scheme.lower() == "basic":
        candidates.append(_password(value))
    matches = [hmac.compare_digest(candidate.encode(), token.encode()) for candidate in candidates]
    return any(matches)


def _password(credentials: str) -> str:
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except (binascii.Error, ValueError):
        return ""


def _is_of_another_site(headers: Headers, is_safe: bool) -> bool:
    """Return True for a request that the browser sends for a page of another site; following a link is allowed."""
    origin = headers.get("origin")
    if origin is not None and urlsplit_netloc(origin) != headers.get("host", "").lower():
        return True
    site = headers.get("sec-fetch-site", "none")
    is_link = is_safe and headers.get("sec-fetch-mode") == "navigate" and headers.get("sec-fetch-dest") == "document"
    return site in ("cross-site", "same-site") and not is_link


def urlsplit_netloc(address: str) -> str:
    """Return host and port of an address in lower case; empty for an invalid one."""
    try:
        return urlsplit(address).netloc.lower()
    except ValueError:
        return ""


def _host_name(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_ip_address(name: str) -> bool:
    try:
        return bool(ipaddress.ip_address(name))
    except ValueError:
        return False
