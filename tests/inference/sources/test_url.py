"""Downloads from a server on this machine: images, errors, sizes and redirections."""

import contextlib
import io
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.sources.image_list import image_list
from frozenseg.inference.sources.url import UrlLimits, _is_public, load_url

LOCAL = UrlLimits(private=True)


class Answers(BaseHTTPRequestHandler):
    """A server with an image, a page, and a redirection to a file."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/to_file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        if path.startswith("/slow"):
            self._drip(path)
            return
        content = {"/a%20b.png": png(), "/page.jpg": b"<html>no image</html>"}.get(path)
        self.send_response(200 if content else 404)
        self.end_headers()
        self.wfile.write(content or b"")

    def _drip(self, path: str) -> None:
        """Send a byte now and then, as headers or as content, until the client hangs up."""
        self.send_response(200)
        if path == "/slow":
            self.end_headers()
        else:
            self.flush_headers()
        with contextlib.suppress(OSError):
            for _ in range(40):
                self.wfile.write(b"x")
                threading.Event().wait(0.05)

    def log_message(self, *arguments: object) -> None:
        pass


def png() -> bytes:
    content = io.BytesIO()
    Image.new("RGB", (9, 5)).save(content, "PNG")
    return content.getvalue()


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


def test_an_image_is_downloaded_when_it_is_decoded(server: str) -> None:
    [image] = image_list([f"{server}/a%20b.png?size=large"], url_limits=LOCAL)
    assert (image.name, image.stem, image.path) == ("a b.png", "a b", None)
    assert image.decode().size == (9, 5)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/none.png", "cannot be downloaded \\(HTTP 404"),
        ("/page.jpg", "has no image: .*a web page"),
        ("/to_file", "cannot be downloaded .*file:///etc/hostname"),
    ],
)
def test_answers_that_are_no_images(server: str, path: str, message: str) -> None:
    [image] = image_list([server + path], url_limits=LOCAL)
    with pytest.raises(DataError, match=message):
        image.decode()


def test_limits(server: str) -> None:
    with pytest.raises(DataError, match="the limit of a download"):
        load_url(f"{server}/a%20b.png", UrlLimits(max_bytes=20, private=True))
    with pytest.raises(DataError, match="check the address and the connection"):
        load_url("http://127.0.0.1:1/a.png", LOCAL)


@pytest.mark.parametrize("path", ["/a%20b.png", "/slow_headers", "/slow"])
def test_a_total_time_limit(server: str, path: str) -> None:
    limits = UrlLimits(private=True, total=0.2)
    if path == "/a%20b.png":
        assert load_url(server + path, limits).size == (9, 5)
        return
    with pytest.raises(DataError, match=r"cannot be downloaded \(it takes more than 0.2 seconds\)"):
        load_url(server + path, limits)


def test_private_addresses_need_a_permission(server: str) -> None:
    with pytest.raises(DataError, match="its address 127.0.0.1 is in a private network.*: allow it with --allow-priv"):
        load_url(f"{server}/a%20b.png")
    with pytest.raises(DataError, match="is in a private network"):
        load_url(f"{server.replace('127.0.0.1', 'localhost')}/a%20b.png")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1", "2130706433", "[::ffff:127.0.0.1]", "0.0.0.0"])
def test_private_addresses_are_refused_without_a_connection(host: str) -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.settimeout(0.05)
        for port in (listener.getsockname()[1], 1):  # an open port and a closed one have the same answer
            with pytest.raises(DataError, match="is in a private network"):
                load_url(f"http://{host}:{port}/a.png")
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("127.0.0.1", False), ("10.1.2.3", False), ("192.168.0.1", False), ("172.20.0.1", False), ("8.8.8.8", True),
        ("169.254.169.254", False), ("0.0.0.0", False), ("::1", False), ("fe80::1%eth0", False), ("fd00::1", False),
        ("::ffff:127.0.0.1", False), ("::ffff:8.8.8.8", True), ("2001:4860:4860::8888", True), ("100.64.0.1", False),
        ("224.0.0.1", False),
    ],
)  # fmt: skip
def test_addresses_of_the_public_internet(address: str, public: bool) -> None:
    assert _is_public(address) is public
