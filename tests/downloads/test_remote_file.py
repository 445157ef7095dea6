"""Downloads from a local server: whole, resumed, cut, refused, of the wrong hash, without room, by two processes."""

import errno
import hashlib
import io
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from frozenseg.downloads import http_download
from frozenseg.downloads.remote_file import RemoteFile, download_once
from frozenseg.errors import DownloadError
from frozenseg.file_hash import sha256_of
from tests.downloads.file_server import FileServer

WEIGHTS = np.random.default_rng(0).bytes(1 << 20)
SHA256 = hashlib.sha256(WEIGHTS).hexdigest()
HALF = len(WEIGHTS) // 2


@pytest.fixture
def remote(server: FileServer, cache: Path) -> RemoteFile:
    (server.folder / "model.pth").write_bytes(WEIGHTS)
    return RemoteFile(f"{server.url}/model.pth", cache / "weights/model.pth", SHA256[:8])


def files(remote: RemoteFile) -> set[str]:
    """Return the names of the files in the cache, without the lock."""
    return {path.name for path in remote.path.parent.iterdir() if not path.name.endswith(".lock")}


def ranges(server: FileServer) -> list[str | None]:
    return [asked for _, asked in server.requests]


def test_a_file_is_downloaded_once(server: FileServer, remote: RemoteFile) -> None:
    assert [download_once(remote), download_once(remote)] == [remote.path] * 2
    assert sha256_of(remote.path) == SHA256
    assert ranges(server) == [None]
    assert files(remote) == {"model.pth"}


def test_a_broken_connection_is_continued_by_itself(server: FileServer, remote: RemoteFile) -> None:
    server.cut_after = [1000, 2000]
    download_once(remote)
    assert ranges(server) == [None, "bytes=1000-", "bytes=3000-"]
    assert sha256_of(remote.path) == SHA256


def test_an_interrupted_download_is_continued_by_the_next_call(server: FileServer, remote: RemoteFile) -> None:
    server.cut_after = [HALF, 0, 0]
    with pytest.raises(DownloadError, match=r"model\.pth cannot be downloaded \(the connection ended after 524,288 of "
                       r"1,048,576 bytes; 0\.5 MB are kept, and the same command continues\)"):  # fmt: skip
        download_once(remote)
    assert files(remote) == {"model.pth.part", "model.pth.part.version"}
    download_once(remote)
    assert ranges(server)[-1] == f"bytes={HALF}-"
    assert sha256_of(remote.path) == SHA256
    assert files(remote) == {"model.pth"}


def test_a_complete_partial_file_needs_no_data(server: FileServer, remote: RemoteFile) -> None:
    part = remote.path.with_name("model.pth.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS)
    part.with_name("model.pth.part.version").write_text(f'"{SHA256[:8]}"')
    download_once(remote)
    assert sha256_of(remote.path) == SHA256
    assert ranges(server) == [f"bytes={len(WEIGHTS)}-"]


def test_a_partial_file_that_is_longer_than_the_file_is_downloaded_again(
    server: FileServer, remote: RemoteFile
) -> None:
    part = remote.path.with_name("model.pth.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(WEIGHTS + b"x")
    part.with_name("model.pth.part.version").write_text(f'"{SHA256[:8]}"')
    download_once(remote)
    assert sha256_of(remote.path) == SHA256
    assert ranges(server) == [f"bytes={len(WEIGHTS) + 1}-", None]


@pytest.mark.parametrize("version", ['"another"', None])
def test_a_partial_file_of_another_or_unknown_version_is_not_continued(
    server: FileServer, remote: RemoteFile, version: str | None
) -> None:
    part = remote.path.with_name("model.pth.part")
    part.parent.mkdir(parents=True)
    part.write_bytes(b"x" * HALF)
    if version:
        part.with_name("model.pth.part.version").write_text(version)
    download_once(remote)
    assert sha256_of(remote.path) == SHA256


def test_a_server_without_versions_and_lengths_is_read_to_the_end(server: FileServer, remote: RemoteFile) -> None:
    server.versions = server.lengths = False
    server.cut_after = [1000]  # cannot be noticed without a length, only by the hash
    with pytest.raises(DownloadError, match="has the SHA-256"):
        download_once(remote)
    download_once(remote)
    assert sha256_of(remote.path) == SHA256


def test_a_wrong_hash_keeps_the_file_aside(server: FileServer, remote: RemoteFile) -> None:
    (server.folder / "model.pth").write_bytes(b"other weights")
    digest = hashlib.sha256(b"other weights").hexdigest()
    message = rf"has the SHA-256 {digest[:12]}…, expected {SHA256[:8]}…: it is kept as .*model\.pth\.mismatch; delete"
    with pytest.raises(DownloadError, match=message):
        download_once(remote)
    assert files(remote) == {"model.pth.mismatch"}
    assert remote.path.with_name("model.pth.mismatch").read_bytes() == b"other weights"


def test_a_web_page_is_no_file_of_weights(server: FileServer, remote: RemoteFile) -> None:
    (server.folder / "model.pth").write_bytes(b"\n<!DOCTYPE html><title>Sign in</title>")
    with pytest.raises(DownloadError, match=r"is a web page, expected a file of weights: it is kept as .*\.mismatch"):
        download_once(remote._replace(sha256=""))
    assert files(remote) == {"model.pth.mismatch"}


def test_a_missing_file_is_named_with_its_address_and_target(server: FileServer, remote: RemoteFile) -> None:
    (server.folder / "model.pth").unlink()
    with pytest.raises(DownloadError) as error:
        download_once(remote)
    assert str(error.value) == (
        f"{remote.url} cannot be downloaded (the server answers 404 Not Found): check the address and the network, or "
        f"download it on another machine and save it as {remote.path}."
    )
    assert len(server.requests) == 1
    assert files(remote) == set()


def test_no_server_is_one_sentence(remote: RemoteFile) -> None:
    offline = remote._replace(url="http://127.0.0.1:9/model.pth")
    with pytest.raises(DownloadError, match=r"\(Connection refused\): check the address and the network, or download"):
        download_once(offline)


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://host/file", "model.pth"])
def test_other_addresses_are_refused(remote: RemoteFile, url: str) -> None:
    with pytest.raises(DownloadError, match="is not an address: expected https"):
        download_once(remote._replace(url=url))


def test_a_file_larger_than_the_disk_is_refused_before_it_is_written(
    remote: RemoteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=10**6))
    with pytest.raises(DownloadError, match=r"weights has 1 MB of free space, 1 MB are needed: free some, or set FRO"):
        download_once(remote)
    assert files(remote) == set()


def test_a_disk_that_fills_up_keeps_what_is_there(
    server: FileServer, remote: RemoteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    class FullDisk(io.FileIO):
        def write(self, data: memoryview) -> int:  # type: ignore[override]
            if self.tell() >= HALF:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data[:HALF])

    original = Path.open
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", lambda path, mode="r", **options: FullDisk(path, mode) if options == {
            "buffering": 0} else original(path, mode, **options))  # fmt: skip
        with pytest.raises(DownloadError, match=r"part cannot be written \(No space left on device\): free some space"):
            download_once(remote)
    assert remote.path.with_name("model.pth.part").stat().st_size == HALF
    download_once(remote)
    assert ranges(server) == [None, f"bytes={HALF}-"]
    assert sha256_of(remote.path) == SHA256


def test_two_callers_share_one_download(server: FileServer, remote: RemoteFile) -> None:
    with ThreadPoolExecutor(2) as pool:
        assert set(pool.map(download_once, [remote, remote])) == {remote.path}
    assert len(server.requests) == 1


def test_a_folder_that_cannot_be_written_is_named(remote: RemoteFile, tmp_path: Path) -> None:
    (tmp_path / "cache").touch()
    with pytest.raises(DownloadError, match=r"weights cannot be written .*set FROZENSEG_CACHE to another folder, or"):
        download_once(remote)


def test_progress_starts_at_the_partial_file(
    server: FileServer, remote: RemoteFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    bars = []

    class Bar:
        def __init__(self, **options: object) -> None:
            bars.append([options["initial"], options["total"]])

        def __enter__(self) -> "Bar":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            bars[-1].append(count)

    monkeypatch.setattr("tqdm.tqdm", Bar)
    monkeypatch.setattr(http_download, "_BLOCK", len(WEIGHTS))
    server.cut_after = [1000]
    download_once(remote)
    assert bars == [[0, len(WEIGHTS), 1000], [1000, len(WEIGHTS), len(WEIGHTS) - 1000]]
