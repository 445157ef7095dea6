"""Fixtures of the tests of downloads: a local server and a cache folder."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.downloads.file_server import FileServer, serving


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder, which does not exist yet."""
    monkeypatch.setenv("FROZENSEG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FileServer]:
    """Yield a running server of an empty folder."""
    folder = tmp_path / "remote"
    folder.mkdir()
    with serving(folder) as state:
        yield state
