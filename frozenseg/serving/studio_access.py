"""Access to the images of a connected Label Studio: its addresses, and the tokens that it takes."""

import json
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from urllib.parse import urljoin, urlsplit

from frozenseg.errors import DataError
from frozenseg.inference.sources.url import UrlLimits, read_url
from frozenseg.serving.settings import LabelStudio

REFRESH_PATH = "/api/token/refresh/"
ACCESS_SECONDS = 240.0  # access tokens of Label Studio are valid for five minutes


class StudioAccess:
    """Reader of the images of a Label Studio.

    Legacy tokens are sent as they are; personal access tokens, which are JSON web tokens, are exchanged for short-lived
    ones.

    Args:
        studio: its address and token.
    """

    def __init__(self, studio: LabelStudio) -> None:
        self.studio = studio
        self._access, self._valid_until = "", 0.0
        self._refreshing = threading.Lock()

    def has(self, address: str) -> bool:
        """Return True for a path, and for an address with scheme, host and port of this Label Studio."""
        if not address.startswith(("/", "http://", "https://")) or "\\" in address:
            return False
        try:
            return _origin(self._full(address)) == _origin(self.studio.address)
        except ValueError:  # no valid port
            return False

    def read(self, address: str, limits: UrlLimits) -> bytes:
        """Return the file at an address of this Label Studio; redirections do not carry the token.

        Args:
            address: for which :meth:`has` is True.
            limits: of the download.

        Raises:
            DataError: it cannot be read.
        """
        _, host, port = _origin(self.studio.address)
        limits = replace(limits, trusted=(host, port))
        return read_url(self._full(address), limits, self._headers(limits))

    def _full(self, address: str) -> str:
        return urljoin(self.studio.address.rstrip("/") + "/", address)

    def _headers(self, limits: UrlLimits) -> Mapping[str, str]:
        key = self.studio.key
        if not key:
            return {}
        if key.count(".") != 2:
            return {"Authorization": f"Token {key}"}
        with self._refreshing:
            if time.monotonic() > self._valid_until:
                self._access = self._refreshed(limits)
                self._valid_until = time.monotonic() + ACCESS_SECONDS
            return {"Authorization": f"Bearer {self._access}"}

    def _refreshed(self, limits: UrlLimits) -> str:
        """Return a new access token."""
        body = json.dumps({"refresh": self.studio.key}).encode()
        content = read_url(self._full(REFRESH_PATH), limits, {"Content-Type": "application/json"}, body)
        try:
            return str(json.loads(content)["access"])
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{self.studio.address} does not exchange the access token: create one in its account settings, and "
                "set LABEL_STUDIO_API_KEY."
            ) from error


def _origin(address: str) -> tuple[str, str, int]:
    """Return scheme, host in lower case, and port of an address."""
    parts = urlsplit(address)
    return parts.scheme, parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
