"""Files of the Hugging Face hub, from a local server that answers as the hub does, and from the cache."""

import socket
from pathlib import Path

import pytest

from frozenseg.downloads.hub import hub_weights, repository_of
from frozenseg.errors import ConfigError, DownloadError
from tests.downloads.file_server import FileServer

hub = pytest.importorskip("huggingface_hub")
constants = pytest.importorskip("huggingface_hub.constants")
errors = pytest.importorskip("huggingface_hub.errors")
NAME = "model.safetensors"


@pytest.fixture
def repository(server: FileServer, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of org/toy's main branch on the server."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    folder = server.folder / "org/toy/resolve/main"
    folder.mkdir(parents=True)
    (folder / NAME).write_bytes(b"weights")
    return folder


def test_a_file_is_downloaded_into_our_cache_once(server: FileServer, repository: Path, cache: Path) -> None:
    file = hub_weights("hf-hub:org/toy", NAME)
    assert file.read_bytes() == b"weights"
    assert cache / "hub" in file.parents
    assert hub_weights("hf-hub:org/toy", NAME) == file
    assert [path for path, _ in server.requests if path.endswith(NAME)] == [f"/org/toy/resolve/main/{NAME}"]


def test_a_revision_has_its_files(server: FileServer, repository: Path) -> None:
    (server.folder / "org/toy/resolve/v2").mkdir()
    (server.folder / f"org/toy/resolve/v2/{NAME}").write_bytes(b"second")
    assert hub_weights("hf-hub:org/toy@v2", NAME).read_bytes() == b"second"


def test_the_cache_is_used_without_a_network(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = hub_weights("hf-hub:org/toy", NAME)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("no connection expected"))
    assert hub_weights("hf-hub:org/toy", NAME) == file


def test_missing_files_are_named(server: FileServer, repository: Path) -> None:
    with pytest.raises(DownloadError) as error:
        hub_weights("hf-hub:org/toy", "config.yaml")
    assert str(error.value) == (
        "config.yaml of hf-hub:org/toy cannot be downloaded (the repository has no such file): check the name and the "
        f"network, or download {server.url}/org/toy on another machine and pass local-dir:FOLDER."
    )


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        ("LocalEntryNotFoundError", r"\(the hub cannot be reached, and the file is not in the cache\)"),
        ("OfflineModeIsEnabled", r"\(offline mode\)"),
    ],
)
def test_other_failures_have_a_reason(
    repository: Path, monkeypatch: pytest.MonkeyPatch, kind: str, reason: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise getattr(errors, kind)("offline mode.")

    monkeypatch.setattr(hub, "hf_hub_download", fail)
    with pytest.raises(DownloadError, match=reason):
        hub_weights("hf-hub:org/toy", NAME)


@pytest.mark.parametrize(
    ("source", "expected"),
    [("hf-hub:org/toy", ("org/toy", None)), ("hf-hub:a.b/c-d_1@v1.0", ("a.b/c-d_1", "v1.0"))],
)
def test_sources_name_repository_and_revision(source: str, expected: tuple[str, str | None]) -> None:
    assert repository_of(source) == expected


@pytest.mark.parametrize("source", ["hf-hub:", "hf-hub:toy", "hf-hub:a/b/c", "hf-hub:org/to y", "hf-hub:https://x/y"])
def test_other_sources_are_refused(source: str) -> None:
    with pytest.raises(ConfigError, match="names no repository: expected hf-hub:ORG/REPO, or hf-hub:ORG/REPO@REVISION"):
        repository_of(source)
