"""Upload of the folder of a trained model to the Hugging Face hub, by the optional package huggingface_hub."""

from pathlib import Path

from frozenseg.downloads.hub import HUB, endpoint, repository_of
from frozenseg.errors import ConfigError, DownloadError, first_sentence
from frozenseg.modeling.pretrained import trained_model


def checked_repository(repository: str, source: str, licence: str) -> str:
    """Return the name of a repository, checked before any work.

    Args:
        repository: ``ORG/REPO``, with or without ``hf-hub:``.
        source: of the model's weights.
        licence: under which the user publishes the weights; empty if it is not stated.

    Raises:
        ConfigError: another form of name, weights of which no licence is published, or huggingface_hub is missing.
    """
    name, revision = repository_of(f"{HUB}{repository.removeprefix(HUB)}")
    if revision:
        raise ConfigError(f"{repository!r} names a revision, to which nothing is pushed: pass {name!r}.")
    entry = trained_model(source)
    if entry is not None and entry.needs_consent and not licence:
        raise ConfigError(
            f"{entry.title} has no published licence, so its weights are not pushed to {name}: ask the authors, then "
            "pass the licence that they give you as licence."
        )
    try:
        import huggingface_hub  # noqa: F401
    except ImportError as error:
        raise ConfigError(
            'push_to_hub needs huggingface_hub: pip install "frozenseg[hub]", or upload the folder of save_pretrained.'
        ) from error
    return name


def upload_folder(folder: Path, repository: str, private: bool, message: str) -> str:
    """Create a repository if necessary and upload a folder in one commit; return its address.

    Args:
        folder: the files.
        repository: ``ORG/REPO``.
        private: True to create a private repository.
        message: of the commit.

    Raises:
        DownloadError: no network, no token or no permission.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalTokenNotFoundError

    api = HfApi(endpoint(), library_name="frozenseg")
    try:
        api.create_repo(repository, private=private, exist_ok=True)
        api.upload_folder(repo_id=repository, folder_path=str(folder), commit_message=message)
    except LocalTokenNotFoundError as error:
        raise DownloadError(
            f"Nothing was pushed to {repository}, as there is no token: run 'hf auth login', or set HF_TOKEN."
        ) from error
    except (HfHubHTTPError, HFValidationError, OSError) as error:
        raise DownloadError(
            f"Nothing was pushed to {repository} ({first_sentence(error)}): check the name, the network and the "
            "permissions of your token ('hf auth whoami')."
        ) from error
    return f"{endpoint()}/{repository}"
