"""Files of repositories on the Hugging Face hub, by the optional package huggingface_hub."""

import os
import re
from pathlib import Path

from frozenseg.downloads.cache_folder import cache_folder
from frozenseg.errors import ConfigError, DownloadError, first_sentence

HUB = "hf-hub:"
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def hub_weights(source: str, name: str) -> Path:
    """Return a file of a hub repository, downloaded once into our cache folder.

    Args:
        source: ``hf-hub:ORG/REPO`` or ``hf-hub:ORG/REPO@REVISION``, a branch, tag or commit.
        name: of the file.

    Raises:
        ConfigError: the source is not written like this.
        DownloadError: the file is neither in the cache nor can it be downloaded, or huggingface_hub is not installed.
    """
    repository, revision = repository_of(source)
    try:
        from huggingface_hub import hf_hub_download
    except ImportError as error:
        raise DownloadError(
            f'{source} needs huggingface_hub: pip install "frozenseg[hub]", or download the repository by hand and '
            "pass local-dir:FOLDER."
        ) from error
    try:
        cache = cache_folder() / "hub"
        return Path(hf_hub_download(repository, name, revision=revision, cache_dir=cache, endpoint=endpoint()))
    except (OSError, ValueError, RuntimeError) as error:  # all errors of huggingface_hub derive from these
        raise DownloadError(
            f"{name} of {source} cannot be downloaded ({_reason(error)}): check the name and the network, or download "
            f"{endpoint()}/{repository} on another machine and pass local-dir:FOLDER."
        ) from error


def endpoint() -> str:
    """Return the address of the hub: ``$HF_ENDPOINT``, or the public one."""
    return os.environ.get("HF_ENDPOINT", "").rstrip("/") or "https://huggingface.co"


def _reason(error: Exception) -> str:
    from huggingface_hub import errors

    reasons = {
        errors.LocalEntryNotFoundError: "the hub cannot be reached, and the file is not in the cache",
        errors.GatedRepoError: "the repository is gated: accept its terms on its page, and set HF_TOKEN",
        errors.RepositoryNotFoundError: "there is no such repository, or it is private and HF_TOKEN is not set",
        errors.RevisionNotFoundError: "the repository has no such revision",
        errors.EntryNotFoundError: "the repository has no such file",
    }
    return next((reason for kind, reason in reasons.items() if isinstance(error, kind)), first_sentence(error))


def repository_of(source: str) -> tuple[str, str | None]:
    """Return the repository ``ORG/REPO`` and the revision of a source; None for the main branch.

    Raises:
        ConfigError: the source is not ``hf-hub:ORG/REPO[@REVISION]``.
    """
    repository, _, revision = source.removeprefix(HUB).partition("@")
    if not _REPOSITORY.fullmatch(repository):
        raise ConfigError(f"{source!r} names no repository: expected {HUB}ORG/REPO, or {HUB}ORG/REPO@REVISION.")
    return repository, revision or None
