"""Download of a file into the cache: one process at a time, resumed, verified, complete or absent."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from frozenseg.downloads.google_drive import download_from_drive, is_drive_address
from frozenseg.downloads.http_download import download_by_http
from frozenseg.errors import DownloadError
from frozenseg.file_hash import sha256_of
from frozenseg.log import get_logger

logger = get_logger(__name__)
_WEB_PAGE = (b"<!doctype html", b"<html")  # first bytes, in lower case


class RemoteFile(NamedTuple):
    """A file to download.

    Attributes:
        url: direct link, or address of a file on Google Drive.
        path: file to write.
        sha256: first hexadecimal digits of the hash; empty if none is published.
    """

    url: str
    path: Path
    sha256: str = ""


def download_once(remote: RemoteFile) -> Path:
    """Download a file unless it exists; return its path.

    A second process waits for the first. The data arrive in ``NAME.part``, which a later call continues, and which is
    renamed after its hash has been verified.

    Raises:
        DownloadError: no network, no room, an incomplete or wrong answer; the message has the address and the path.
    """
    path = remote.path
    if path.is_file():
        return path
    with _one_process(remote):
        if not path.is_file():
            part = path.with_name(f"{path.name}.part")
            logger.info("Downloading %s to %s.", remote.url, path)
            if is_drive_address(remote.url):
                download_from_drive(remote.url, part, path)
            else:
                download_by_http(remote.url, part, path)
            _verify(remote, part)
            part.replace(path)
    return path


@contextlib.contextmanager
def _one_process(remote: RemoteFile) -> Iterator[None]:
    """Hold the lock of a file; a message is logged if another process has it."""
    from filelock import FileLock, Timeout

    path = remote.path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name}.lock"))
        try:
            lock.acquire(timeout=0)
        except Timeout:
            logger.info("Another process is downloading %s: waiting for it.", path)
            lock.acquire()
    except OSError as error:
        raise DownloadError(
            f"{path.parent} cannot be written ({error.strerror or error}), so {remote.url} was not downloaded: set "
            f"FROZENSEG_CACHE to another folder, or save the file there as {path.name}."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _verify(remote: RemoteFile, part: Path) -> None:
    """Move a file that is not the expected one aside and raise DownloadError."""
    digest = sha256_of(part)
    with part.open("rb") as file:
        head = file.read(64).lstrip().lower()
    if remote.sha256 and not digest.startswith(remote.sha256):
        reason = f"has the SHA-256 {digest[: max(12, len(remote.sha256))]}…, expected {remote.sha256}…"
    elif not remote.sha256 and head.startswith(_WEB_PAGE):
        reason = "is a web page, expected a file of weights"
    else:
        logger.info("%s: SHA-256 %s.", remote.path.name, digest)
        return
    aside = remote.path.with_name(f"{remote.path.name}.mismatch")
    os.replace(part, aside)
    raise DownloadError(
        f"The file from {remote.url} {reason}: it is kept as {aside}; delete it and download again, or save the right "
        f"file as {remote.path}."
    )
