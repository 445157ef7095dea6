"""Local HTTP server of one folder, with ranges and versions as servers of files have them, and with their failures."""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

COMMIT = "a" * 40


@dataclass
class FileServer:
    """Files of a local server, and its behaviour.

    Attributes:
        folder: of the files.
        url: address of the folder, without a slash at its end.
        cut_after: bytes of a body after which connections break, one for each of the next requests.
        versions: True to send an ETag and answer ranges of the same version.
        lengths: True to send the length of a body.
        requests: ``(path, Range)`` of all requests.
    """

    folder: Path
    url: str = ""
    cut_after: list[int] = field(default_factory=list)
    versions: bool = True
    lengths: bool = True
    requests: list[tuple[str, str | None]] = field(default_factory=list)


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    """Serve a folder in a thread."""
    state = FileServer(folder)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self, state)

        def do_HEAD(self) -> None:
            describe(self, state)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(handler: BaseHTTPRequestHandler, state: FileServer) -> None:
    """Send a file, or the rest of it."""
    asked = handler.headers.get("Range")
    state.requests.append((handler.path, asked))
    file = state.folder / handler.path.lstrip("/")
    if not file.is_file():
        handler.send_error(404)
        return
    body = file.read_bytes()
    tag = f'"{hashlib.sha256(body).hexdigest()[:8]}"'
    start = 0
    if asked and state.versions and handler.headers.get("If-Range") == tag:
        start = int(asked.removeprefix("bytes=").rstrip("-"))
        if start >= len(body):
            handler.send_response(416)
            handler.send_header("Content-Range", f"bytes */{len(body)}")
            handler.send_header("Content-Length", "0")
            handler.end_headers()
            return
        handler.send_response(206)
        handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
    else:
        handler.send_response(200)
    if state.versions:
        handler.send_header("ETag", tag)
    if state.lengths:
        handler.send_header("Content-Length", str(len(body) - start))
    handler.end_headers()
    end = start + state.cut_after.pop(0) if state.cut_after else len(body)
    handler.wfile.write(body[start:end])


def describe(handler: BaseHTTPRequestHandler, state: FileServer) -> None:
    """Answer the question of huggingface_hub for the version of a file."""
    file = state.folder / handler.path.lstrip("/")
    if not file.is_file():
        handler.send_response(404)
        handler.send_header("X-Error-Code", "EntryNotFound")
        handler.send_header("X-Repo-Commit", COMMIT)
        handler.send_header("Content-Length", "0")
    else:
        body = file.read_bytes()
        handler.send_response(200)
        handler.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()[:8]}"')
        handler.send_header("X-Repo-Commit", hashlib.sha256(str(file.parent).encode()).hexdigest()[:40])
        handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
