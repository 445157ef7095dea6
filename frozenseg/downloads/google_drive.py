"""Download from Google Drive, which asks for a confirmation of large files, by the optional package gdown."""

import importlib.util
import re
import sys
from pathlib import Path

from frozenseg.errors import DownloadError, first_sentence

_FILE_ADDRESS = re.compile(r"https://drive\.google\.com/(?:file/d/|uc\?(?:.*&)?id=|open\?(?:.*&)?id=)([\w-]+)")


def is_drive_address(url: str) -> bool:
    """Return True if an address is that of a file on Google Drive."""
    return bool(_file_id(url))


def _file_id(url: str) -> str:
    """Return the id in the address of a file on Google Drive; empty for other addresses."""
    match = _FILE_ADDRESS.match(url)
    return match[1] if match else ""


def has_gdown() -> bool:
    """Return True if the package gdown is installed."""
    return importlib.util.find_spec("gdown") is not None


def download_from_drive(url: str, part: Path, path: Path) -> None:
    """Download a file from Google Drive; a partial one is continued.

    Args:
        url: address of the file's page.
        part: file to write.
        path: final file, for messages.

    Raises:
        DownloadError: gdown is not installed, the network is not available, or the file is not shared with everybody.
    """
    by_hand = f"open {url} in a browser and save the file as {path}"
    if not has_gdown():
        raise DownloadError(
            f'Downloads from Google Drive need gdown: pip install "frozenseg[gdrive]" and repeat, or {by_hand}.'
        )
    import gdown
    import requests

    try:
        saved = gdown.download(id=_file_id(url), output=str(part), resume=True, use_cookies=False, quiet=_is_quiet())
    except _errors_of_gdown() as error:
        unreachable = isinstance(error, requests.ConnectionError)
        reason = "Google Drive cannot be reached" if unreachable else first_sentence(error)
        raise DownloadError(f"{url} cannot be downloaded ({reason}): check the network, or {by_hand}.") from error
    if saved is None or not part.is_file():
        raise DownloadError(f"{url} cannot be downloaded (Google Drive sends no file): {by_hand}.")


def _errors_of_gdown() -> tuple[type[Exception], ...]:
    import requests
    from gdown import exceptions

    names = ("DownloadError", "FileURLRetrievalError")  # the first one exists since gdown 6
    errors = [getattr(exceptions, name) for name in names if hasattr(exceptions, name)]
    return (OSError, RuntimeError, requests.RequestException, *errors)


def _is_quiet() -> bool:
    return not sys.stderr.isatty()
