"""Downloads from a server on this machine: images, errors, sizes and redirections."""

import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.sources.image_list import image_list
from frozenseg.inference.sources.url import load_url


class Answers(BaseHTTPRequestHandler):
    """A server with an image, a page, and a redirection to a file."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/to_file":
            self.send_response(302)
            self.send_header("Location", "file:///etc/hostname")
            self.end_headers()
            return
        content = {"/a%20b.png": png(), "/page.jpg": b"<html>no image</html>"}.get(path)
        self.send_response(200 if content else 404)
        self.end_headers()
        self.wfile.write(content or b"")

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
    [image] = image_list([f"{server}/a%20b.png?size=large"])
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
    [image] = image_list([server + path])
    with pytest.raises(DataError, match=message):
        image.decode()


def test_limits(server: str) -> None:
    with pytest.raises(DataError, match="the limit of a download"):
        load_url(f"{server}/a%20b.png", max_bytes=20)
    with pytest.raises(DataError, match="check the address and the connection"):
        load_url("http://127.0.0.1:1/a.png")
