"""Settings of the server, and the limits that keep a request from exhausting it."""

from dataclasses import dataclass, field

BYTES_PER_MIB = 2**20
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

    upload_bytes: int = 32 * BYTES_PER_MIB
    pixels: int = 36_000_000
    names: int = 1000
    characters: int = 50_000
    requests: int = 16
    seconds: float = 120.0
    batch: int = 8


@dataclass(frozen=True)
class LabelStudio:
    """Connection to a Label Studio, whose images the server may read.

    Attributes:
        address: http or https, such as ``http://localhost:8080``.
        key: access token; empty for none.
    """

    address: str
    key: str = field(default="", repr=False)


@dataclass(frozen=True)
class ServerSettings:
    """Settings of the server.

    Attributes:
        host: address that it binds to.
        port: TCP port; 0 for a free one.
        token: secret that every request must carry; empty for none.
        allow_urls: download images from public addresses in requests.
        allowed_hosts: host names under which the server may be called, beside ``localhost``; empty for its addresses.
        label_studio: whose images may be read; None for none.
        limits: of the requests.
    """

    host: str = "127.0.0.1"
    port: int = 8000
    token: str = field(default="", repr=False)
    allow_urls: bool = False
    allowed_hosts: tuple[str, ...] = ()
    label_studio: LabelStudio | None = None
    limits: ServerLimits = ServerLimits()

    @property
    def is_local(self) -> bool:
        """True if only programs on this machine can connect."""
        return self.host in LOOPBACK
