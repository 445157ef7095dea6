"""Download by HTTP with progress, which continues a partial file by a range request (RFC 9110, sections 13 and 14)."""

import http.client
import re
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DownloadError
from frozenseg.log import get_logger

logger = get_logger(__name__)
_ATTEMPTS = 3  # connections, each of which continues where the last one broke
_SILENCE = 30.0  # seconds without data after which a connection counts as broken
_BLOCK = 1 << 18  # bytes written at a time
_MB = 10**6


class Answer(NamedTuple):
    """Description of the data that a server sends.

    Attributes:
        start: position of the first byte in the file.
        total: size of the file in bytes; None if the server does not state it.
        validator: ETag or date of this version of the file; empty if the server states none.
    """

    start: int
    total: int | None
    validator: str


class _BrokenConnectionError(Exception):
    """A connection that ended early and can be continued."""


def download_by_http(url: str, part: Path, path: Path) -> None:
    """Download a file, continuing a partial one of the same version.

    Args:
        url: ``https`` or ``http``.
        part: partial file; complete at the end. ``NAME.part.version`` beside it has the server's name of the version.
        path: final file, for messages.

    Raises:
        DownloadError: the server cannot be reached, refuses, or breaks off repeatedly; the disk is full.
    """
    if not url.startswith(("https://", "http://")):
        raise DownloadError(f"{url!r} is not an address: expected https://… .")
    reason = ""
    for _ in range(_ATTEMPTS):
        try:
            _receive(url, part)
        except urllib.error.HTTPError as error:
            error.close()
            reason = f"the server answers {error.code} {error.reason}"
            raise DownloadError(f"{url} cannot be downloaded ({reason}): {_by_hand(path)}") from error
        except (_BrokenConnectionError, OSError, http.client.HTTPException) as error:
            reason = _reason(error)
            if not part.is_file():  # nothing arrived: the network, not the connection
                break
        else:
            _version_file(part).unlink(missing_ok=True)
            return
    kept = f"; {part.stat().st_size / _MB:.1f} MB are kept, and the same command continues" if part.is_file() else ""
    raise DownloadError(f"{url} cannot be downloaded ({reason}{kept}): {_by_hand(path)}")


def _by_hand(path: Path) -> str:
    return f"check the address and the network, or download it on another machine and save it as {path}."


def _receive(url: str, part: Path) -> None:
    """Receive the rest of a file over one connection."""
    version = _version_file(part)
    validator = version.read_text(encoding="utf-8") if version.is_file() else ""
    start = part.stat().st_size if part.is_file() and validator else 0
    headers = {"User-Agent": "frozenseg", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": validator}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  # the scheme is checked by the caller
    try:
        response = urllib.request.urlopen(request, timeout=_SILENCE)  # noqa: S310
    except urllib.error.HTTPError as error:
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not start:
            raise
        error.close()
        if _size_in(error.headers.get("Content-Range")) == start:
            return  # complete already
        part.write_bytes(b"")
        raise _BrokenConnectionError("the partial file is longer than the file, and is downloaded again") from error
    with response:
        answer = _describe(response, start)
        _require_room(part, answer)
        if answer.validator:
            version.write_text(answer.validator, encoding="utf-8")
        with part.open("ab" if answer.start else "wb", buffering=0) as file:
            _write(file, _blocks(response), answer, part)
    size = part.stat().st_size
    if answer.total is not None and size != answer.total:
        raise _BrokenConnectionError(f"the connection ended after {size:,} of {answer.total:,} bytes")


def _describe(response: http.client.HTTPResponse, start: int) -> Answer:
    headers = response.headers
    strong_tag = headers.get("ETag", "")
    validator = "" if strong_tag.startswith("W/") else strong_tag  # RFC 9110, 13.1.5: a weak tag is not allowed
    validator = validator or headers.get("Last-Modified", "")
    length = headers.get("Content-Length", "")
    size = int(length) if length.isdigit() else None
    if response.status != http.HTTPStatus.PARTIAL_CONTENT:
        return Answer(0, size, validator)
    span = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    if not span or int(span[1]) != start:
        raise _BrokenConnectionError(f"the server sends the range {headers.get('Content-Range')!r}, not from {start}")
    return Answer(start, None if size is None else start + size, validator)


def _require_room(part: Path, answer: Answer) -> None:
    """Raise DownloadError if the rest of the file does not fit on the disk."""
    if answer.total is None:
        return
    free = shutil.disk_usage(part.parent).free
    if answer.total - answer.start > free:
        raise DownloadError(
            f"{part.parent} has {free / _MB:,.0f} MB of free space, {(answer.total - answer.start) / _MB:,.0f} MB are "
            "needed: free some, or set FROZENSEG_CACHE to a folder on another disk."
        )


def _blocks(response: http.client.HTTPResponse) -> Iterator[bytes]:
    while block := response.read(_BLOCK):
        yield block


def _write(file: FileIO, blocks: Iterator[bytes], answer: Answer, part: Path) -> None:
    from tqdm import tqdm

    name = part.name.removesuffix(".part")
    size = {"unit": "B", "unit_scale": True, "initial": answer.start, "total": answer.total}
    with tqdm(desc=name, disable=None, **size) as progress:
        for block in blocks:
            try:
                rest = memoryview(block)
                while rest:
                    rest = rest[file.write(rest) :]
            except OSError as error:
                raise DownloadError(
                    f"{part} cannot be written ({error.strerror or error}): free some space, or set FROZENSEG_CACHE to "
                    "a folder on another disk; the same command continues."
                ) from error
            progress.update(len(block))


def _version_file(part: Path) -> Path:
    return part.with_name(f"{part.name}.version")


def _size_in(content_range: str | None) -> int | None:
    """Return the size in ``bytes */SIZE``."""
    size = (content_range or "").rpartition("/")[2]
    return int(size) if size.isdigit() else None


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, TimeoutError):
        return f"no data for {_SILENCE:.0f} seconds"
    if isinstance(cause, http.client.IncompleteRead):
        return "the connection ended early"
    return str(getattr(cause, "strerror", None) or cause or type(cause).__name__)
