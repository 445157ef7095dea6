"""Files of CLIP weights, from a local server that answers as the hub does, from our cache, and from earlier caches."""

from pathlib import Path

import pytest

from frozenseg.errors import CheckpointError, DownloadError
from frozenseg.modeling.clip.weight_files import HUB_NAMES, hub_file, tag_file
from tests.downloads.file_server import FileServer

constants = pytest.importorskip("huggingface_hub.constants")


@pytest.fixture
def repository(server: FileServer, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of org/clip on the server; all caches are empty."""
    monkeypatch.setenv("HF_ENDPOINT", server.url)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "huggingface"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
    folder = server.folder / "org/clip/resolve/main"
    folder.mkdir(parents=True)
    return folder


@pytest.mark.parametrize("name", HUB_NAMES)
def test_a_tag_of_the_hub_goes_to_our_cache(repository: Path, cache: Path, name: str) -> None:
    (repository / name).write_bytes(b"weights")
    file = tag_file({"hf_hub": "org/clip/", "url": "https://never.used/weights.pt"})
    assert file.read_bytes() == b"weights"
    assert (file.name, cache / "hub" in file.parents) == (name, True)


def test_a_tag_names_its_file(repository: Path) -> None:
    (repository / "other.bin").write_bytes(b"other")
    assert tag_file({"hf_hub": "org/clip/other.bin"}).read_bytes() == b"other"


def test_an_address_goes_to_our_cache_and_is_verified(server: FileServer, repository: Path, cache: Path) -> None:
    folder = server.folder / "openaipublic/0000"
    folder.mkdir(parents=True)
    (folder / "RN50.pt").write_bytes(b"weights")
    (server.folder / "RN50.pt").write_bytes(b"weights")
    assert tag_file({"url": f"{server.url}/RN50.pt"}) == cache / "clip/RN50.pt"
    (cache / "clip/RN50.pt").unlink()
    with pytest.raises(DownloadError, match="expected 0000…"):
        tag_file({"url": f"{server.url}/openaipublic/0000/RN50.pt"})


def test_files_of_earlier_caches_are_used(server: FileServer, repository: Path, tmp_path: Path) -> None:
    snapshot = tmp_path / "huggingface/models--org--clip/snapshots/1"
    snapshot.mkdir(parents=True)
    (snapshot / HUB_NAMES[1]).write_bytes(b"old")
    (tmp_path / "huggingface/models--org--clip/refs").mkdir()
    (tmp_path / "huggingface/models--org--clip/refs/main").write_text("1")
    assert hub_file("hf-hub:org/clip") == snapshot / HUB_NAMES[1]
    earlier = tmp_path / "home/.cache/clip/RN50.pt"
    earlier.parent.mkdir(parents=True)
    earlier.write_bytes(b"old")
    assert tag_file({"url": f"{server.url}/RN50.pt"}) == earlier
    assert server.requests == []


def test_without_a_network_one_sentence_has_the_address(
    server: FileServer, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(CheckpointError) as error:
        hub_file("hf-hub:org/clip")
    assert str(error.value) == (
        "The weights of hf-hub:org/clip cannot be downloaded (the hub cannot be reached, and the file is not in the "
        f"cache): check the name and the network, or save the files of {server.url}/org/clip on another machine and "
        "set CLIP_PRETRAINED_WEIGHTS to the path of the weights; HF_HUB_CACHE may be a copied cache folder."
    )
