"""Images at an address, http or https, with a limit of size and of time."""

import urllib.error
import urllib.request
from http.client import HTTPException
from typing import Any
from urllib.parse import unquote, urlsplit

from PIL import Image

from frozenseg.errors import DataError
from frozenseg.inference.image_inputs import load_image

SCHEMES = ("http", "https")
MAX_BYTES = 64 * 2**20
TIMEOUT = 30.0  # seconds without an answer
AGENT = {"User-Agent": "frozenseg"}  # some servers refuse requests without one


def is_url(text: str) -> bool:
    """Return True for a text of the form ``scheme://…``.

    Raises:
        DataError: the scheme is neither http nor https, or there is no valid host.
    """
    scheme, separator, rest = text.partition("://")
    if not separator or not scheme.isalnum() or len(scheme) == 1:  # a drive letter is a path
        return False
    if scheme.lower() not in SCHEMES or not _has_host(text):
        raise DataError(
            f"The address {text[:200]!r} cannot be read: expected http://… or https://…; download other files first."
        )
    return True


def url_name(url: str) -> str:
    """Return the file name in an address; ``image`` for none and for ``..``."""
    name = unquote(urlsplit(url).path).replace("\\", "/").replace("\0", "_").rsplit("/", 1)[-1]
    return name if name.strip(".") else "image"


def _has_host(url: str) -> bool:
    try:
        return bool(urlsplit(url).hostname)
    except ValueError:  # brackets that are no IPv6 address
        return False


def load_url(url: str, max_bytes: int = MAX_BYTES, timeout: float = TIMEOUT) -> Image.Image:
    """Download and decode an image.

    Args:
        url: http or https address; redirections to other schemes are refused.
        max_bytes: largest size of the file.
        timeout: seconds without an answer after which the download ends.

    Raises:
        DataError: no answer, too large, or no image.
    """
    opener = urllib.request.build_opener(_WebRedirections)
    try:
        with opener.open(urllib.request.Request(url, headers=AGENT), timeout=timeout) as answer:  # noqa: S310 (checked)
            content = answer.read(max_bytes + 1)
    except (OSError, HTTPException, ValueError) as error:  # URLError, a timeout, a cut connection, a wrong address
        reason = getattr(error, "reason", None) or error
        code = f"HTTP {error.code} " if isinstance(error, urllib.error.HTTPError) else ""
        raise DataError(
            f"The image {url} cannot be downloaded ({code}{reason}): check the address and the connection."
        ) from error
    if len(content) > max_bytes:
        raise DataError(
            f"The image {url} has more than {max_bytes / 2**20:g} MiB, the limit of a download: download it yourself, "
            "and name the file."
        )
    try:
        return load_image(content)
    except DataError as error:
        raise DataError(f"The address {url} has no image: {error}") from error


class _WebRedirections(urllib.request.HTTPRedirectHandler):
    """Refuses redirections to files and other schemes."""

    def redirect_request(self, *arguments: Any) -> urllib.request.Request | None:
        """Return the request of a redirection."""
        target = str(arguments[-1])
        if urlsplit(target).scheme.lower() not in SCHEMES:
            raise urllib.error.URLError(f"it leads to {target[:200]!r}")
        return super().redirect_request(*arguments)
