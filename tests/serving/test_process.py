"""The process: a real socket, raw bytes that are no HTTP, the orderly end, and the command line."""

import contextlib
import io
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx2
import pytest

from frozenseg.cli.command_line import docstring_parser
from frozenseg.cli.main import main
from frozenseg.cli.model_choice import ModelChoice
from frozenseg.cli.verbs import serve as verb
from frozenseg.errors import ConfigError
from frozenseg.serving import process
from frozenseg.serving.process import BoundServer, bound_server, listen
from frozenseg.serving.settings import ServerSettings
from frozenseg.serving.state import ServedModel
from tests.serving.conftest import png, toyworld


def raw(server: BoundServer, content: bytes) -> bytes:
    with socket.create_connection(server.listener.getsockname(), timeout=10) as connection:
        connection.sendall(content)
        received = b""
        while block := connection.recv(4096):
            received += block
    return received


def test_bytes_that_are_no_http_do_not_end_the_server(bound: BoundServer) -> None:
    host = b"Connection: close\r\nHost: 127.0.0.1\r\n"
    for content in (
        b"\x16\x03\x01\x02\x00" * 50,
        b"GET / HTTP/1.1\r\n\r\n",
        b"POST /v1/segment HTTP/1.1\r\n" + host + b"Content-Length: -5\r\n\r\n",
        b"POST /v1/segment HTTP/1.1\r\n" + host + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"GET / HTTP/1.1\r\n" + host + host + b"\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\n" + host + b"\r\n",
        b"GET /%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\n" + host + b"\r\n",
    ):
        assert raw(bound, content)[:12] in (b"HTTP/1.1 400", b"HTTP/1.1 404", b"HTTP/1.1 413", b"HTTP/1.1 421"), content
    with contextlib.suppress(ConnectionError):  # the server closes the connection while the header arrives
        assert b" 200 " not in raw(bound, b"GET / HTTP/1.1\r\n" + host + b"X: " + b"a" * 400_000 + b"\r\n\r\n")
    assert httpx2.get(f"{bound.address}/healthz").status_code == 200


def test_a_running_request_is_answered_before_the_end(model: ServedModel) -> None:
    server = bound_server(model, (settings := ServerSettings(port=0)), listen(settings))
    thread = threading.Thread(target=server.run)
    thread.start()
    original = model.segmenter.segment_batch

    def stopping(*arguments: Any) -> Any:
        server.server.should_exit = True
        return original(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model.segmenter, "segment_batch", stopping)
        files, data = {"image": ("a.png", io.BytesIO(png()))}, {"words": "red circle"}
        answer = httpx2.post(f"{server.address}/v1/segment", files=files, data=data, timeout=20)
    thread.join(20)
    assert answer.status_code == 200
    assert not thread.is_alive()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{server.address}/healthz")


def settings_of(*line: str) -> ServerSettings:
    parser = docstring_parser("", "serve")
    verb.add_arguments(parser)
    settings: ServerSettings = verb.server_settings(parser.parse_args(line))
    return settings


def test_the_flags_are_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settings_of() == ServerSettings()
    line = [
        "--host",
        "0.0.0.0",
        "--token",
        "long-enough",
        "--max-upload",
        "2",
        "--max-pixels",
        "1.5",
        "--max-names",
        "9",
    ]
    settings = settings_of(*line, "--label-studio", "http://localhost:8080", "--allowed-host", "Masks.Example")
    assert (settings.token, settings.limits.upload_bytes, settings.limits.pixels) == ("long-enough", 2**21, 1_500_000)
    assert (settings.limits.names, settings.allowed_hosts, settings.is_local) == (9, ("masks.example",), False)
    assert "long-enough" not in repr(settings)
    monkeypatch.setenv("FROZENSEG_TOKEN", "from-the-environment")
    monkeypatch.setenv("LABEL_STUDIO_API_KEY", "key")
    settings = settings_of("--label-studio", "https://studio.example")
    assert settings.token == "from-the-environment"
    assert settings.label_studio is not None
    assert settings.label_studio.key == "key"
    for wrong, message in ((["--token", "short"], "has 5 characters, expected 8"), (["--token", ""], "has 0")):
        with pytest.raises(ConfigError, match=message):
            settings_of(*wrong)
    with pytest.raises(ConfigError, match="--label-studio 'localhost' is no address"):
        settings_of("--label-studio", "localhost")


def test_the_verb_says_who_can_connect(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    opened: list[str] = []
    monkeypatch.setattr(ModelChoice, "build", lambda choice: toyworld())
    monkeypatch.setattr(BoundServer, "run", lambda server: server.listener.close())
    monkeypatch.setattr(process, "BROWSER_DELAY", 0)
    monkeypatch.setattr("webbrowser.open", opened.append)
    assert main(["serve", "--port", "0", "--host", "0.0.0.0", "--open-browser", "--device", "cpu"]) == 0
    log = capsys.readouterr().err
    assert "listens on 0.0.0.0: every machine that reaches it can use it; start it with --token SECRET" in log
    assert "Serving toyworld at http://127.0.0.1:" in log
    for _ in range(100):
        if not opened:
            threading.Event().wait(0.01)
    assert opened[0].startswith("http://127.0.0.1:")


def test_a_taken_port_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"cannot listen on '127.0.0.1', port {port} .*: choose another --port"):
            listen(ServerSettings(port=port))
    with pytest.raises(ConfigError, match=r"cannot listen on 'aaa"):
        listen(ServerSettings(host="a" * 300))


def test_the_model_does_not_work_for_clients_that_have_left(bound: BoundServer, model: ServedModel) -> None:
    gate, started, sizes = threading.Event(), threading.Event(), []
    original = model.segmenter.segment_batch

    def slow(images: list[Any], *arguments: Any) -> Any:
        sizes.append(len(images))
        started.set()
        gate.wait(10)
        return original(images, *arguments)

    def post(timeout: float) -> int:
        files, data = {"image": ("a.png", png())}, {"words": "red circle"}
        return httpx2.post(f"{bound.address}/v1/segment", files=files, data=data, timeout=timeout).status_code

    with pytest.MonkeyPatch.context() as patch, ThreadPoolExecutor() as pool:
        patch.setattr(model.segmenter, "segment_batch", slow)
        first = pool.submit(post, 20)
        assert started.wait(10)
        with pytest.raises(httpx2.ReadTimeout):
            post(0.3)
        for _ in range(100):
            if 'status="499"' in (metrics := httpx2.get(f"{bound.address}/metrics").text):
                break
        assert 'frozenseg_requests_total{route="/v1/segment",status="499"} 1.0' in metrics
        gate.set()
        assert first.result() == post(20) == 200
    assert sizes == [1, 1]
