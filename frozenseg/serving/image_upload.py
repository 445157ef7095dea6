"""Images in requests: encoded files as bytes or base64, decoded within the limits."""

import base64
import binascii
import io
from http import HTTPStatus

from PIL import Image

from frozenseg.data.images import decode_image
from frozenseg.errors import DataError
from frozenseg.serving.refusals import RequestRefusedError
from frozenseg.serving.settings import ServerLimits
from frozenseg.structures.image_files import DecodeLimits

UPLOAD_FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "GIF", "TIFF")
UPLOAD_ADVICE = f"send one of {', '.join(UPLOAD_FORMATS)}, within the limit of pixels"


def decode_upload(content: bytes, limits: ServerLimits) -> Image.Image:
    """Return the upright RGB image of an encoded file; its size is checked before its pixels are decoded.

    Args:
        content: of the file.
        limits: of the server.

    Raises:
        RequestRefusedError: it is empty, no image, damaged, or too large.
    """
    if not content:
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST, "The image is empty: send an encoded file, such as a JPEG.")
    try:
        name, of_images = f"in {len(content)} bytes", DecodeLimits(UPLOAD_FORMATS, limits.pixels)
        return decode_image(io.BytesIO(content), name, UPLOAD_ADVICE, limits=of_images)
    except DataError as error:
        raise RequestRefusedError(HTTPStatus.BAD_REQUEST, str(error)) from error


def decode_base64(text: str) -> bytes:
    """Return the bytes of base64 text, with or without the beginning ``data:image/…;base64,``.

    Raises:
        RequestRefusedError: it is not base64.
    """
    header, comma, data = text.partition(",") if text[:5].lower() == "data:" else ("", ",", text)
    if not comma or (header and not header.lower().endswith(";base64")):
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST, f"The image begins with {text[:40]!r}, expected base64 or data:image/…;base64,…."
        )
    try:
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise RequestRefusedError(
            HTTPStatus.BAD_REQUEST, f"The image is no base64 ({error}): encode the bytes of the file."
        ) from error
