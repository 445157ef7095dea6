"""Files on Google Drive: addresses, the missing package, and what gdown reports."""

from pathlib import Path

import pytest

from frozenseg.downloads import google_drive
from frozenseg.downloads.google_drive import is_drive_address
from frozenseg.downloads.remote_file import RemoteFile, download_once
from frozenseg.errors import DownloadError

PAGE = "https://drive.google.com/file/d/1tcB-8FNON_x/view"
gdown = pytest.importorskip("gdown")


@pytest.fixture
def remote(cache: Path) -> RemoteFile:
    return RemoteFile(PAGE, cache / "weights/model.pth")


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        (PAGE, True),
        ("https://drive.google.com/uc?id=1tcB-8", True),
        ("https://drive.google.com/open?usp=sharing&id=1tcB-8", True),
        ("https://drive.google.com/drive/folders/1tcB-8", False),
        ("https://example.com/file/d/1tcB-8/view", False),
    ],
)
def test_addresses_of_files_are_recognised(url: str, expected: bool) -> None:
    assert is_drive_address(url) is expected


def test_without_gdown_the_message_has_both_ways(remote: RemoteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(google_drive, "has_gdown", lambda: False)
    with pytest.raises(DownloadError) as error:
        download_once(remote)
    assert str(error.value) == (
        f'Downloads from Google Drive need gdown: pip install "frozenseg[gdrive]" and repeat, or open {PAGE} in a '
        f"browser and save the file as {remote.path}."
    )


def test_gdown_gets_the_id_and_continues(remote: RemoteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def download(**options: object) -> str:
        calls.append(options)
        Path(str(options["output"])).write_bytes(b"PK\3\4weights")
        return str(options["output"])

    monkeypatch.setattr(gdown, "download", download)
    assert download_once(remote).read_bytes() == b"PK\3\4weights"
    [options] = calls
    assert options["id"] == "1tcB-8FNON_x"
    assert options["resume"] is True
    assert options["output"] == f"{remote.path}.part"


def failing(error: Exception) -> object:
    def download(**_: object) -> None:
        raise error

    return download


def errors() -> list[tuple[Exception, str]]:
    import requests
    from gdown.exceptions import FileURLRetrievalError

    return [
        (requests.ConnectionError("HTTPSConnectionPool(host='drive.google.com')"), "Google Drive cannot be reached"),
        (FileURLRetrievalError("Too many users have viewed it.\nTry later."), "Too many users have viewed it"),
        (OSError("No space left on device"), "No space left on device"),
    ]  # fmt: skip


@pytest.mark.parametrize(("error", "reason"), errors())
def test_failures_are_one_sentence(
    remote: RemoteFile, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    monkeypatch.setattr(gdown, "download", failing(error))
    with pytest.raises(DownloadError) as raised:
        download_once(remote)
    assert str(raised.value) == (
        f"{PAGE} cannot be downloaded ({reason}): check the network, or open {PAGE} in a browser and save the file as "
        f"{remote.path}."
    )


def test_no_file_is_one_sentence(remote: RemoteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gdown, "download", lambda **_: None)
    with pytest.raises(DownloadError, match=r"\(Google Drive sends no file\): open .* in a browser"):
        download_once(remote)
