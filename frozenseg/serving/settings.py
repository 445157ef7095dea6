"""Settings of the server, and the limits that keep a request from exhausting it."""

from dataclasses import dataclass, field

MIB = 2**20
LOOPBACK = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class ServerLimits:
    """Limits of a request, and of all requests together.

    Attributes:
        upload_bytes: largest body of a request.
        pixels: largest image, width · height, checked before it is decoded.
        names: largest number of names in a vocabulary; the benchmarks are exempt.
        characters: longest text of class names.
        requests: largest number of requests that wait or are computed at the same time.
        seconds: longest time of a request.
        batch: largest number of waiting images that are segmented together.
    """

    upload_bytes: int = 32 * MIB
    pixels: int = 36_000_000
    names: int = 1000
    characters: int = 50_000
    requests: int = 16
    seconds: float = 120.0
    batch: int = 8


@dataclass(frozen=True)
class ServerSettings:
    """Settings of the server.

    Attributes:
        host: address that it binds to.
        port: TCP port; 0 for a free one.
        token: secret that every request must carry; empty for none.
        allow_urls: download images from public addresses in requests.
        allowed_hosts: further host names under which the server may be called.
        limits: of the requests.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = field(default="", repr=False)
    allow_urls: bool = False
    allowed_hosts: tuple[str, ...] = ()
    limits: ServerLimits = ServerLimits()

    @property
    def is_local(self) -> bool:
        """True if only programs on this machine can connect."""
        return self.host in LOOPBACK
