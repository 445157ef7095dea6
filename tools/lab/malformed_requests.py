"""Malformed requests for the server, chosen by a seed: damaged images, bombs, wrong types, tricks with paths, headers.

Each must be answered with 4xx and one sentence; ``tools/benchmark_serving.py`` sends them.
"""

import base64
import io
import json
import random
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from PIL import Image

from frozenseg.toyworld.samples import sample_scene

MIB = 2**20
BOUNDARY = "frozenseg-boundary"
JSON = {"Content-Type": "application/json"}
READERS = ("/v1/segment", "/v1/predict", "/predict")  # routes that read JSON
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PATHS = ("/etc/passwd", "../../../../etc/passwd", "file:///etc/passwd", "C:\\Windows\\win.ini", "/proc/self/environ")
URLS = ("http://127.0.0.1:22/", "http://169.254.169.254/latest", "http://[::1]/", "gopher://localhost/", "http://0/")
NOT_TEXT: tuple[Any, ...] = (None, 7, 1.5, True, [], {}, [[]], {"a": 1}, [1, 2], [None])


class MalformedRequest(NamedTuple):
    """A request that the server must refuse.

    Attributes:
        kind: of the mistake.
        method: of HTTP.
        path: of the address.
        body: content.
        headers: with the content type.
    """

    kind: str
    method: str
    path: str
    body: bytes
    headers: dict[str, str]


def malformed_requests(count: int, seed: int) -> Iterator[MalformedRequest]:
    """Yield requests, every kind in turn.

    Args:
        count: number of requests.
        seed: the same seed gives the same requests.
    """
    rng = random.Random(seed)  # noqa: S311 (a choice, no secret)
    for number in range(count):
        name, make = KINDS[number % len(KINDS)]
        yield make(name, rng)


def form(image: bytes, fields: dict[str, str], file_name: str = "a.png") -> bytes:
    """Return the body of a form with a file and text fields."""
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="{file_name}"\r\n'
        "Content-Type: image/png\r\n\r\n".encode()
        + image
    ]
    parts += [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}'.encode()
        for name, value in fields.items()
    ]
    return b"\r\n".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def encoded_scene(kind: str = "PNG") -> bytes:
    """Return a small scene as an encoded file."""
    content = io.BytesIO()
    sample_scene(4, 64).save(content, kind)
    return content.getvalue()


def png_of_size(width: int, height: int, data: bytes = b"") -> bytes:
    """Return a PNG with a header of any size, and image data of any length."""

    def chunk(name: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")


def _upload(name: str, image: bytes, fields: dict[str, str] | None = None) -> MalformedRequest:
    body = form(image, {"words": "red circle", **(fields or {})})
    return MalformedRequest(name, "POST", "/v1/segment", body, FORM)


def _json(name: str, body: Any, path: str = "/v1/segment") -> MalformedRequest:
    return MalformedRequest(name, "POST", path, json.dumps(body).encode(), JSON)


def _scene_text() -> str:
    return base64.b64encode(encoded_scene()).decode("ascii")


def _truncated(name: str, rng: random.Random) -> MalformedRequest:
    content = encoded_scene(rng.choice(("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF")))
    return _upload(name, content[: rng.randrange(1, max(2, len(content) // 2))])


def _noise(name: str, rng: random.Random) -> MalformedRequest:
    return _upload(name, rng.choice((b"", b"\xff\xd8\xff", b"GIF89a", b"II*\0")) + rng.randbytes(rng.randrange(2000)))


def _bomb(name: str, rng: random.Random) -> MalformedRequest:
    width = rng.choice((10_000, 40_000, 2**31 - 1))
    data = bytes(rng.choice((100, MIB, 8 * MIB)))
    return _upload(name, png_of_size(width, rng.choice((10_000, width)), data))


def _other_format(name: str, rng: random.Random) -> MalformedRequest:
    formats = ("PPM", "TGA", "PCX", "SGI", "ICO", "PDF", "EPS")
    content = io.BytesIO()
    Image.new("RGB", (32, 32)).save(content, rng.choice(formats))
    svg = b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'
    return _upload(name, rng.choice((content.getvalue(), svg, b"PK\x03\x04" + bytes(100), b"%PDF-1.4")))


def _large_body(name: str, rng: random.Random) -> MalformedRequest:
    size = 33 * MIB + rng.randrange(1000)
    return MalformedRequest(name, "POST", rng.choice(READERS), bytes(size), JSON)


def _many_names(name: str, rng: random.Random) -> MalformedRequest:
    names = rng.choice(("cat;" * (10 * MIB // 4), "x" * (10 * MIB), ";".join(map(str, range(200_000)))))
    body = {"image": _scene_text(), "words": rng.choice((names, names.split(";")))}
    return rng.choice((_json(name, body), _upload(name, encoded_scene(), {"words": names})))


def _bad_names(name: str, rng: random.Random) -> MalformedRequest:
    names = rng.choice(("", ";", "a;;b", ",", "cat,", "y" * 5000, "ade20kk", "background", "\n\n", "a," * 5000))
    return _upload(name, encoded_scene(), {"words": names})


def _wrong_type(name: str, rng: random.Random) -> MalformedRequest:
    field = rng.choice(("image", "words", "stuff", "outputs", "formats", "min_score", "tolerance", "sam_masks"))
    values = (*NOT_TEXT, "wrong", -1, 1e9)
    allowed: dict[str, Callable[[Any], bool]] = {
        "words": lambda value: value is None,
        "stuff": lambda value: value == [],
        "formats": lambda value: value == [],
        "min_score": lambda value: value is True,
        "tolerance": lambda value: value in (True, 7, 1.5),
        "sam_masks": lambda value: value is True,
    }
    choices = [value for value in values if not allowed.get(field, lambda _: False)(value)]
    body = {"image": _scene_text(), "words": "red circle", field: rng.choice(choices)}
    return _json(name, body)


def _no_json(name: str, rng: random.Random) -> MalformedRequest:
    bodies = (b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"[" * 100_000, b'{"a":' * 50_000, b"NaN", b"{'a': 1}")
    return MalformedRequest(name, "POST", rng.choice(READERS), rng.choice(bodies), JSON)


def _no_form(name: str, rng: random.Random) -> MalformedRequest:
    good = form(encoded_scene(), {"words": "red circle"})
    bodies = (b"", good[: rng.randrange(40)], b"--wrong--", good.replace(b'name="image"', b'name="file"'))
    headers = rng.choice(
        (FORM, {"Content-Type": "multipart/form-data"}, {"Content-Type": "multipart/form-data; boundary="})
    )
    return MalformedRequest(name, "POST", "/v1/segment", rng.choice(bodies), headers)


def _path(name: str, rng: random.Random) -> MalformedRequest:
    path = rng.choice((*PATHS, *URLS))
    task = {"tasks": [{"data": {"photo": path}}], "label_config": INTERFACE}
    return rng.choice(
        (
            _json(name, {"image": path, "words": "red circle"}),
            _json(name, {"url": path, "words": "red circle"}),
            _json(name, {"model": "toyworld", "image": path}, "/v1/predict"),
            _json(name, task, "/predict"),
            MalformedRequest(name, "GET", f"/{'%2e%2e/' * 5}etc/passwd", b"", {}),
            MalformedRequest(name, "GET", f"/docs/files/{'../' * 8}etc/passwd", b"", {}),
        )
    )


def _header(name: str, rng: random.Random) -> MalformedRequest:
    headers = rng.choice(
        (
            {"Host": "evil.example"},
            {"Host": "127.0.0.1.evil.example"},
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Content-Type": "text/plain"},
            {"Content-Type": "application/x-www-form-urlencoded"},
            {"Content-Type": "application/json; charset=utf-16"},
            {"Content-Type": "\xff"},
            {"X-Forwarded-Host": "evil.example", "Content-Type": "application/xml"},
        )
    )
    body = b"" if "utf-16" in str(headers) else b'{"image": "aaaa", "words": "a"}'
    return MalformedRequest(name, "POST", "/v1/segment", body, {**headers})


def _route(name: str, rng: random.Random) -> MalformedRequest:
    method, path = rng.choice(
        (
            ("GET", "/v1/segment"),
            ("PUT", "/v1/segment"),
            ("DELETE", "/"),
            ("POST", "/v1/models"),
            ("GET", "/nowhere"),
            ("TRACE", "/"),
            ("POST", "/healthz"),
            ("GET", "/" + "a" * 3000),
            ("GET", "/%00"),
            ("GET", "/%ff%fe"),
        )
    )
    return MalformedRequest(name, method, path, b"", {})


def _studio(name: str, rng: random.Random) -> MalformedRequest:
    interface = rng.choice(("", "<View", "<View/>", "x" * 300_000, ENTITIES, INTERFACE.replace("Image", "Audio")))
    of_photo: tuple[Any, ...] = (None, 7, "", "data:,", "a.png")
    tasks: Any = rng.choice(([], [{}], "text", [{"data": {"photo": rng.choice(of_photo)}}]))
    return _json(name, {"tasks": tasks, "label_config": interface}, "/predict")


INTERFACE = (
    '<View><Image name="img" value="$photo"/><BrushLabels name="brush" toName="img">'
    '<Label value="red circle"/></BrushLabels></View>'
)
ENTITIES = (
    '<!DOCTYPE a [<!ENTITY x "xxxxxxxxxx"><!ENTITY y "&x;&x;&x;&x;&x;&x;&x;&x;">]>'
    f"{INTERFACE.replace('red circle', '&y;')}"
)
KINDS: tuple[tuple[str, Callable[[str, random.Random], MalformedRequest]], ...] = (
    ("truncated image", _truncated),
    ("noise as an image", _noise),
    ("image bomb", _bomb),
    ("other file format", _other_format),
    ("large body", _large_body),
    ("megabytes of names", _many_names),
    ("wrong names", _bad_names),
    ("wrong type", _wrong_type),
    ("no JSON", _no_json),
    ("no form", _no_form),
    ("path or address", _path),
    ("header", _header),
    ("route or method", _route),
    ("Label Studio task", _studio),
)
