"""Images at an address, http or https, with limits of size and time; addresses inside a network need a permission."""

import http.client
import ipaddress
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import unquote, urlsplit

from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.image_inputs import load_image

SCHEMES = ("http", "https")
AGENT = {"User-Agent": "frozenseg"}  # some servers refuse requests without one


@dataclass(frozen=True)
class UrlLimits:
    """Limits of the download of an image.

    Attributes:
        max_bytes: largest size of the file.
        silence: seconds without data after which the download ends.
        total: seconds after which it ends in any case.
        private: allow addresses of this machine and of its network, which a list from elsewhere should not reach.
        trusted: host and port that may have such an address even so.
        private_advice: remedy in the refusal of such an address.
    """

    max_bytes: int = 64 * 2**20
    silence: float = 30.0
    total: float = 120.0
    private: bool = False
    trusted: tuple[str, int] | None = None
    private_advice: str = "allow it with --allow-private-urls (UrlLimits(private=True)), if you trust the input"


PUBLIC = UrlLimits()


def is_url(text: str) -> bool:
    """Return True for a text of the form ``scheme://…``.

    Raises:
        DataError: the scheme is neither http nor https, or there is no valid host.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme.isalnum() or len(scheme) == 1:  # a drive letter is a path
        return False
    if scheme.lower() not in SCHEMES or not _has_host(text):
        raise DataError(
            f"The address {text[:200]!r} cannot be read: expected http://… or https://…; download other files first."
        )
    return True


def url_name(url: str) -> str:
    """Return the file name in an address; ``image`` for none and for ``..``."""
    name = unquote(urlsplit(url).path).replace("\\", "/").replace("\0", "_").rsplit("/", 1)[-1]
    return name if name.strip(".") else "image"


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # brackets that are no IPv6 address
        return False


def load_url(url: str, limits: UrlLimits = PUBLIC) -> Image.Image:
    """Download and decode an image.

    Args:
        url: http or https address; redirections to other schemes are refused.
        limits: of size, time and addresses.

    Raises:
        DataError: no answer, too large, too slow, an address inside a network, or no image.
    """
    content = read_url(url, limits)
    try:
        return load_image(content)
    except DataError as error:
        raise DataError(f"The address {url} has no image: {error}") from error


def read_url(
    url: str, limits: UrlLimits = PUBLIC, headers: Mapping[str, str] | None = None, body: bytes | None = None
) -> bytes:
    """Download a file.

    Args:
        url: as for :func:`load_url`.
        limits: of size, time and addresses.
        headers: for the server in the address; redirections do not carry them.
        body: of a POST request; None for a GET request.

    Raises:
        DataError: no answer, too large, too slow, or an address inside a network.
    """
    if not is_url(url):
        raise DataError(f"The address {url[:200]!r} cannot be read: expected http://… or https://….")
    content = _download(url, limits, headers or {}, body)
    if len(content) > limits.max_bytes:
        raise DataError(
            f"The image {url} has more than {limits.max_bytes / 2**20:g} MiB, the limit of a download: download it "
            "yourself, and name the file."
        )
    return content


def _download(url: str, limits: UrlLimits, headers: Mapping[str, str], body: bytes | None) -> bytes:
    """Return the content of an address, one byte more than allowed if it is too large."""
    watch = _Watch(limits)
    opener = urllib.request.build_opener(_WebRedirections, _CheckedHttp(watch), _CheckedHttps(watch))
    request = urllib.request.Request(url, body, AGENT)  # noqa: S310 (the scheme is checked)
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        with watch, opener.open(request, timeout=limits.silence) as answer:
            content: bytes = answer.read(limits.max_bytes + 1)
            missing = answer.length if len(content) <= limits.max_bytes else None
        if watch.is_over or missing:  # a connection that ends early may look like the end of the file
            raise OSError("the connection ended early")
    except (OSError, http.client.HTTPException, ValueError) as error:  # URLError, a timeout, a wrong address
        raise DataError(_failure(url, error, watch)) from error
    return content


def _failure(url: str, error: Exception, watch: "_Watch") -> str:
    reason = getattr(error, "reason", None) or error
    code = f"HTTP {error.code} " if isinstance(error, urllib.error.HTTPError) else ""
    if watch.is_over:
        reason = f"it takes more than {watch.limits.total:g} seconds"
    advice = "check the address and the connection"
    if isinstance(reason, _PrivateAddressError):
        advice = watch.limits.private_advice
    return f"The image {url} cannot be downloaded ({code}{reason}): {advice}."


class _PrivateAddressError(OSError):
    """An address that is not on the public internet."""


class _Watch:
    """Checks the address of each connection, and closes the last one when the total time is over.

    Args:
        limits: of the download.
    """

    def __init__(self, limits: UrlLimits) -> None:
        self.limits, self.is_over = limits, False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(limits.total, self._end)
        self._timer.daemon = True

    def __enter__(self) -> "_Watch":
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def check_host(self, host: str, port: int) -> None:
        """Check the addresses of a host before a connection, so that no request can try the ports of a network.

        Raises:
            OSError: it is unknown, or an address is not public.
        """
        for *_, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            self._check_address(str(address[0]))

    def connected(self, connection: socket.socket, is_allowed: bool) -> None:
        """Register a connection; its address is checked, as its name may have another one by then.

        Args:
            connection: that has been opened.
            is_allowed: allow any address.

        Raises:
            OSError: the time is over, or the address is not public.
        """
        self._socket = connection
        if self.is_over:
            raise TimeoutError("the time is over")
        if not is_allowed:
            try:
                self._check_address(connection.getpeername()[0])
            except _PrivateAddressError:
                connection.close()
                raise

    @staticmethod
    def _check_address(address: str) -> None:
        if not _is_public(address):
            raise _PrivateAddressError(f"its address {address} is in a private network")

    def _end(self) -> None:
        self.is_over = True
        if self._socket is not None:
            try:
                self._socket.shutdown(socket.SHUT_RDWR)
            except OSError:  # closed already
                return


def _is_public(address: str) -> bool:
    """Return True for an IP address of the public internet."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    return (mapped or parsed).is_global and not parsed.is_multicast


class _CheckedConnection(http.client.HTTPConnection):
    """Connection that a watch checks; over HTTP, and the part of one over HTTPS that both have."""

    def __init__(self, host: str, *, watch: _Watch, is_proxy: bool, **arguments: Any) -> None:
        super().__init__(host, **arguments)
        self._watch, self._is_proxy = watch, is_proxy

    def connect(self) -> None:
        """Check the address, and connect."""
        is_trusted = (self.host.lower(), self.port) == self._watch.limits.trusted
        is_allowed = is_trusted or self._is_proxy or self._watch.limits.private  # a proxy decides about those behind it
        if not is_allowed:
            self._watch.check_host(self.host, self.port)
        super().connect()
        self._watch.connected(self.sock, is_allowed)


class _CheckedHttpsConnection(_CheckedConnection, http.client.HTTPSConnection):
    """Connection over HTTPS that a watch checks."""


class _CheckedHttp(urllib.request.HTTPHandler):
    """Opens addresses over HTTP by checked connections."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an address."""
        return self.do_open(partial(_CheckedConnection, watch=self._watch, is_proxy=req.has_proxy()), req)


class _CheckedHttps(urllib.request.HTTPSHandler):
    """Opens addresses over HTTPS by checked connections."""

    def __init__(self, watch: _Watch) -> None:
        super().__init__()
        self._watch = watch

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        """Open an address."""
        is_proxy = req.has_proxy() or getattr(req, "_tunnel_host", None) is not None
        return self.do_open(partial(_CheckedHttpsConnection, watch=self._watch, is_proxy=is_proxy), req)


class _WebRedirections(urllib.request.HTTPRedirectHandler):
    """Refuses redirections to files and other schemes."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        """Return the request of a redirection."""
        target = str(arguments[-1])
        if urlsplit(target).scheme.lower() not in SCHEMES:
            raise urllib.error.URLError(f"it leads to {target[:200]!r}")
        return super().redirect_request(*arguments)
