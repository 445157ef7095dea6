"""Process of the server: uvicorn with the application, a socket, and an orderly end."""

import ipaddress
import os
import socket
import threading
import webbrowser
from dataclasses import dataclass

import uvicorn

from frozenseg.errors import ConfigError
from frozenseg.log import get_logger
from frozenseg.serving.application import create_application
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel

logger = get_logger(__name__)
MAX_HEADER_BYTES = 16 * 1024
MAX_CONNECTIONS = 256
STOP_SECONDS = 30  # in which running requests end after SIGTERM
IDLE_SECONDS = 15  # of a connection between two requests
BROWSER_DELAY = 1.0  # seconds
ALL_ADDRESSES = ("0.0.0.0", "::")  # noqa: S104 (compared, not bound)


@dataclass(frozen=True)
class BoundServer:
    """A server with its socket.

    Attributes:
        server: uvicorn's; ``should_exit`` ends it.
        listener: bound socket.
        address: of the page.
    """

    server: uvicorn.Server
    listener: socket.socket
    address: str

    def run(self) -> None:
        """Serve until SIGINT, SIGTERM or ``should_exit``; running requests are answered first."""
        with self.listener:
            self.server.run(sockets=[self.listener])


def listen(settings: ServerSettings) -> socket.socket:
    """Return a socket that listens on the address of the server; connections wait until it serves.

    Args:
        settings: of the server.

    Raises:
        ConfigError: the address cannot be bound.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    try:
        if os.name == "posix":  # elsewhere it would share a port that is in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((settings.host, settings.port))
        listener.listen()
    except (OSError, ValueError) as error:  # ValueError: a name that no host can have
        listener.close()
        reason = getattr(error, "strerror", None) or error
        raise ConfigError(
            f"The server cannot listen on {settings.host!r:.60}, port {settings.port} ({reason}): choose another "
            "--port or --host."
        ) from error
    return listener


def bound_server(model: ServedModel, settings: ServerSettings, listener: socket.socket) -> BoundServer:
    """Return a server that does not serve yet.

    Args:
        model: to serve.
        settings: of the server.
        listener: of :func:`listen`.
    """
    config = uvicorn.Config(
        create_application(model, settings),
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        http="h11",
        ws="none",
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        limit_concurrency=MAX_CONNECTIONS,
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    address = f"http://{_shown_host(settings.host)}:{listener.getsockname()[1]}"
    return BoundServer(uvicorn.Server(config), listener, address)


def serve(model: ServedModel, settings: ServerSettings, listener: socket.socket, open_browser: bool = False) -> None:
    """Serve until SIGINT or SIGTERM.

    Args:
        model: to serve.
        settings: of the server.
        listener: of :func:`listen`.
        open_browser: open the page when the server is ready.
    """
    bound = bound_server(model, settings, listener)
    if not settings.is_local:
        logger.warning(
            "The server listens on %s: every machine that reaches it can use it%s.",
            settings.host,
            " with the token" if settings.token else "; start it with --token SECRET to change that",
        )
    logger.info("Serving %s at %s (API: %s/docs). Ctrl-C ends it.", model.name, bound.address, bound.address)
    if open_browser:
        timer = threading.Timer(BROWSER_DELAY, webbrowser.open, [bound.address])
        timer.daemon = True
        timer.start()
    bound.run()


def _shown_host(host: str) -> str:
    """Return the host of an address that a browser on this machine opens."""
    if host in ALL_ADDRESSES:
        return "127.0.0.1"
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:  # a name
        return host
