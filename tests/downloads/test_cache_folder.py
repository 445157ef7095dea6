"""The cache folder: the variable first, then the platform's folder of caches."""

from pathlib import Path

import pytest

from frozenseg.downloads import cache_folder as module
from frozenseg.downloads.cache_folder import cache_folder, torch_hub_folder
from frozenseg.errors import ConfigError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("FROZENSEG_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA", "TORCH_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    return tmp_path


def test_the_variable_decides(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FROZENSEG_CACHE", "~/large")
    assert cache_folder() == home / "large"


def test_a_file_cannot_be_the_cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / "file").touch()
    monkeypatch.setenv("FROZENSEG_CACHE", str(home / "file"))
    with pytest.raises(ConfigError, match="FROZENSEG_CACHE is '.*file', which cannot be a folder"):
        cache_folder()


@pytest.mark.parametrize(
    ("platform", "folder"),
    [("linux", ".cache"), ("darwin", "Library/Caches"), ("win32", "AppData/Local")],
)
def test_every_platform_has_its_folder(home: Path, monkeypatch: pytest.MonkeyPatch, platform: str, folder: str) -> None:
    monkeypatch.setattr(module.sys, "platform", platform)
    assert cache_folder() == home / folder / "frozenseg"


def test_xdg_moves_the_caches(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home / "caches"))
    assert cache_folder() == home / "caches/frozenseg"
    assert torch_hub_folder() == home / "caches/torch/hub/checkpoints"


def test_torch_hub_folder_is_that_of_torch(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    assert torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
    monkeypatch.setenv("TORCH_HOME", str(home / "torch"))
    assert torch_hub_folder() == Path(torch.hub.get_dir()) / "checkpoints"
