"""Images by address: off, public ones only, and those of a connected Label Studio with its key."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from fastapi.testclient import TestClient

from frozenseg.errors import DataError
from frozenseg.inference.sources.url import UrlLimits
from frozenseg.serving.application import create_application
from frozenseg.serving.settings import LabelStudio, ServerLimits, ServerSettings
from frozenseg.serving.state import ServedModel
from frozenseg.serving.studio_access import StudioAccess
from tests.serving.conftest import png
from tests.serving.test_label_studio import INTERFACE

HOST = "http://127.0.0.1:8000"


class Studio(BaseHTTPRequestHandler):
    """Images, a redirection to another server of this network, and the keys that were sent."""

    keys: ClassVar[list[tuple[str, str | None]]] = []
    other = ""

    def do_GET(self) -> None:
        self.keys.append((self.path, self.headers.get("Authorization")))
        is_moved = self.path.startswith("/moved")
        self.send_response(302 if is_moved else 200)
        if is_moved:
            self.send_header("Location", f"{self.other}/secret")
        self.end_headers()
        self.wfile.write(b"" if is_moved else png(size=256) if "large" in self.path else png())

    def do_POST(self) -> None:
        refresh = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["refresh"]
        self.keys.append((self.path, refresh))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"access": "short-lived"} if refresh == "a.b.c" else {}).encode())

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def studio() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Studio) as first, ThreadingHTTPServer(("127.0.0.1", 0), Studio) as other:
        threads = [
            threading.Thread(target=each.serve_forever, kwargs={"poll_interval": 0.01}) for each in (first, other)
        ]
        for thread in threads:
            thread.start()
        Studio.other = f"http://127.0.0.1:{other.server_port}"
        yield f"http://127.0.0.1:{first.server_port}"
        for each, thread in zip((first, other), threads, strict=True):
            each.shutdown()
            thread.join()


@pytest.fixture
def connected(model: ServedModel, studio: str) -> Iterator[TestClient]:
    Studio.keys.clear()
    settings = ServerSettings(label_studio=LabelStudio(studio, "key"), limits=ServerLimits(pixels=128 * 128))
    with TestClient(create_application(model, settings), HOST) as client:
        yield client


def predicted(client: TestClient, source: str) -> Any:
    return client.post("/predict", json={"tasks": [{"data": {"photo": source}}], "label_config": INTERFACE})


def test_the_images_of_label_studio_are_read_with_its_key(connected: TestClient, studio: str) -> None:
    for source in ("/data/upload/1/a.png", f"{studio}/a.png"):
        answer = predicted(connected, source)
        assert answer.status_code == 200, answer.text
        assert answer.json()["results"][0]["result"]
    assert {key for _, key in Studio.keys} == {"Token key"}


def test_personal_access_tokens_are_exchanged_once(studio: str) -> None:
    Studio.keys.clear()
    access = StudioAccess(LabelStudio(studio, "a.b.c"))
    assert access.read("/a.png", UrlLimits()) == access.read(f"{studio}/b.png", UrlLimits()) == png()
    exchanged = ("/api/token/refresh/", "a.b.c")
    assert Studio.keys == [exchanged, ("/a.png", "Bearer short-lived"), ("/b.png", "Bearer short-lived")]
    with pytest.raises(DataError, match="does not exchange the access token"):
        StudioAccess(LabelStudio(studio, "x.y.z")).read("/a.png", UrlLimits())


def test_other_addresses_are_refused_and_get_no_key(connected: TestClient, studio: str) -> None:
    refused = predicted(connected, f"{Studio.other}/a.png")
    assert refused.status_code == 403
    moved = predicted(connected, "/moved.png")
    assert moved.status_code == 400
    assert "its address 127.0.0.1 is in a private network" in moved.json()["error"]
    assert [path for path, _ in Studio.keys] == ["/moved.png"]
    large = predicted(connected, "/large.png")
    assert (large.status_code, "256×256 pixels, more than the limit" in large.text) == (400, True)


def test_addresses_in_requests_are_public_if_they_are_allowed(
    client: TestClient, model: ServedModel, studio: str
) -> None:
    body = {"url": f"{studio}/a.png", "words": "red circle"}
    assert client.post("/v1/segment", json=body).status_code == 403
    with TestClient(create_application(model, ServerSettings(allow_urls=True)), HOST) as allowed:
        private = allowed.post("/v1/segment", json=body)
        assert private.status_code == 400
        assert "is in a private network): send the image itself." in private.json()["error"]
        for address in ("file:///etc/passwd", "/etc/passwd", "ftp://host/a.png", "http://", "http://[::1"):
            answer = allowed.post("/v1/segment", json={**body, "url": address})
            assert (answer.status_code, "cannot be read" in answer.json()["error"]) == (400, True), answer.text
        both = allowed.post("/v1/segment", json={**body, "image": "aaaa"})
        assert both.status_code == 400
