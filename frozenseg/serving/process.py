"""Process of the server: uvicorn with the application, a socket, and an orderly end."""

import ipaddress
import threading
import webbrowser

import uvicorn

from frozenseg.errors import ConfigError
from frozenseg.log import get_logger
from frozenseg.serving.application import create_application
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel

logger = get_logger(__name__)
MAX_HEADER_BYTES = 16 * 1024
STOP_SECONDS = 30  # in which running requests end after SIGTERM
IDLE_SECONDS = 15  # of a connection between two requests


def serve(model: ServedModel, settings: ServerSettings, open_browser: bool = False) -> None:
    """Serve until SIGINT or SIGTERM; running requests are answered first.

    Args:
        model: to serve.
        settings: of the server.
        open_browser: open the page when the server is ready.

    Raises:
        ConfigError: the address cannot be bound.
    """
    config = uvicorn.Config(
        create_application(model, settings),
        host=settings.host,
        port=settings.port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=MAX_HEADER_BYTES,
        http="h11",
        ws="none",
        timeout_keep_alive=IDLE_SECONDS,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    try:
        listener = config.bind_socket()
    except SystemExit as error:  # uvicorn's answer to an address that is in use
        raise ConfigError(
            f"The server cannot listen on {settings.host}:{settings.port}: choose another --port or --host."
        ) from error
    address = f"http://{_shown_host(settings.host)}:{listener.getsockname()[1]}"
    logger.info("Serving %s at %s (API: %s/docs). Ctrl-C ends it.", model.name, address, address)
    if open_browser:
        threading.Timer(1.0, webbrowser.open, [address]).start()
    with listener:
        uvicorn.Server(config).run(sockets=[listener])


def _shown_host(host: str) -> str:
    """Return the host of an address that a browser on this machine opens."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 (compared, not bound)
        return "127.0.0.1"
    try:
        return f"[{host}]" if ipaddress.ip_address(host).version == 6 else host
    except ValueError:  # a name
        return host
