"""Files of CLIP weights on this machine; those that are missing are downloaded once into our cache folder.

Files that open_clip has downloaded before are used where they are: the cache of huggingface_hub, and ``~/.cache/clip``.
"""

import os
from collections.abc import Mapping
from pathlib import Path

from frozenseg.downloads.cache_folder import cache_folder
from frozenseg.downloads.hub import HUB, endpoint, hub_weights
from frozenseg.downloads.remote_file import RemoteFile, download_once
from frozenseg.errors import CheckpointError, DownloadError

HUB_NAMES = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")  # of weights in a repository
OPENAI_HOST, OPEN_CLIP_HOST = "openaipublic", "mlfoundations"  # addresses with the hash of the file


def hub_file(source: str, name: str | None = None) -> Path:
    """Return a file of a hub repository, downloaded once.

    Args:
        source: ``hf-hub:ORG/REPO``.
        name: of the file; None for open_clip's weights, safetensors preferred.

    Raises:
        CheckpointError: the file is in no cache and cannot be downloaded.
    """
    names = HUB_NAMES if name is None else (name,)
    cached = (_cached_by_huggingface(source.removeprefix(HUB), each) for each in names)
    if (file := next(filter(None, cached), None)) is not None:
        return file
    for each in names:
        try:
            return hub_weights(source, each)
        except DownloadError as error:
            failure = error
    reason = str(failure).partition(" cannot be downloaded ")[2].partition(": ")[0] or f"({failure})"
    raise CheckpointError(
        f"{name or 'The weights'} of {source} cannot be downloaded {reason}: check the name and the network, or save "
        f"the files of {endpoint()}/{source.removeprefix(HUB)} on another machine and set CLIP_PRETRAINED_WEIGHTS to "
        "the path of the weights; HF_HUB_CACHE may be a copied cache folder."
    ) from failure


def tag_file(tag: Mapping[str, str]) -> Path:
    """Return the file of a tag of open_clip, downloaded once.

    Args:
        tag: open_clip's entry: a repository of the hub, or an address.

    Raises:
        CheckpointError: the file is in no cache and cannot be downloaded.
        DownloadError: the same, for an address.
    """
    if tag.get("hf_hub"):
        repository, name = os.path.split(tag["hf_hub"])
        return hub_file(f"{HUB}{repository}", name or None)
    url = tag["url"]
    earlier = Path("~/.cache/clip").expanduser() / Path(url).name
    if earlier.is_file():
        return earlier
    return download_once(RemoteFile(url, cache_folder() / "clip" / Path(url).name, _hash_in(url)))


def _hash_in(url: str) -> str:
    """Return the first digits of the hash that an address of OpenAI or open_clip has in it; empty for others."""
    if OPENAI_HOST in url:
        return url.split("/")[-2]
    return Path(url).stem.rpartition("-")[2] if OPEN_CLIP_HOST in url else ""


def _cached_by_huggingface(repository: str, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    file = try_to_load_from_cache(repository, name)
    return Path(file) if isinstance(file, str) else None
