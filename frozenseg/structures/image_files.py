"""Opening of image files: every failure of a decoder becomes one error that names the file and its kind."""

import threading
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from PIL import Image, UnidentifiedImageError

from frozenseg.errors import DataError

DEFAULT_ADVICE = "replace it"
FIRST_BYTES = 512
# formats that Pillow identifies but draws with other programs, or cannot decode to pixels
VECTOR_FORMATS = frozenset({"EPS", "WMF", "EMF", "PDF"})
PHOTO_FORMATS = frozenset({"MPO"})
CONTENTS = (  # bytes, their offset in the file, what they are, and what to do
    (b"version https://git-lfs", 0, "a pointer of Git LFS", "run `git lfs pull`"),
    (b"<svg", 0, "an SVG drawing", "export it as PNG"),
    (b"<?xml", 0, "an XML file", DEFAULT_ADVICE),
    (b"<!doctype", 0, "a web page", "download it again"),
    (b"<html", 0, "a web page", "download it again"),
    (b"%pdf", 0, "a PDF document", "export it as PNG"),
    (b"pk\x03\x04", 0, "a ZIP archive", "unpack it"),
    (b"\x93numpy", 0, "a NumPy array", "convert it to PNG"),
    (b"dicm", 128, "a DICOM file", "convert it to PNG"),
    (b"ftyphei", 4, "a HEIC photo", "convert it to JPEG or PNG"),
    (b"ftyphev", 4, "a HEIC photo", "convert it to JPEG or PNG"),
    (b"ftypmif1", 4, "a HEIC photo", "convert it to JPEG or PNG"),
    (b"ftypavif", 4, "an AVIF image", "convert it to JPEG or PNG"),
    (b"ftyp", 4, "a video", "extract its frames"),
)


class DecodeLimits(NamedTuple):
    """Limits of images from people who are not trusted, checked before pixels are decoded.

    Attributes:
        formats: names of Pillow's formats; other decoders do not see the file.
        pixels: largest width · height.
    """

    formats: tuple[str, ...]
    pixels: int


class _WithoutWarnings:
    """Context in which Pillow's warnings are off; threads that are in it at the same time share one change of them."""

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0
        self._filters = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, but below the limit
                warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.")  # damaged metadata

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_quiet = _WithoutWarnings()


@contextmanager
def opened_image(
    source: str | Path | BinaryIO, name: str = "", advice: str = DEFAULT_ADVICE, limits: DecodeLimits | None = None
) -> Iterator[Image.Image]:
    """Open an image file and decode its first frame.

    Args:
        source: path, or binary file at its beginning.
        name: of the image, for messages; empty for the path.
        advice: for the user, about an image that cannot be decoded.
        limits: of an image that is not trusted; None for all formats and Pillow's own limit.

    Yields:
        The decoded image.

    Raises:
        DataError: the file is missing or cannot be decoded.
    """
    name = name or str(source)
    with ExitStack() as stack:
        try:
            with _quiet:
                # not by its path: Pillow maps uncompressed TIFF files with their sides swapped if they are rotated
                file = stack.enter_context(open(source, "rb")) if isinstance(source, (str, Path)) else source
                image = stack.enter_context(Image.open(file, formats=limits and limits.formats))
                _check_format(image)
                _check_pixels(image, limits)
                image.load()
        except FileNotFoundError as error:
            raise DataError(f"The image {name} does not exist.") from error
        except UnidentifiedImageError as error:
            kind, remedy = _identify(source)
            raise DataError(f"The image {name} cannot be decoded ({kind}): {remedy or advice}.") from error
        except Image.DecompressionBombError as error:
            limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
            raise DataError(
                f"The image {name} cannot be decoded (more than {limit} pixels): cut it into tiles."
            ) from error
        except Exception as error:  # noqa: BLE001 (decoders raise errors of any kind for damaged files)
            reason = str(error) or type(error).__name__
            raise DataError(f"The image {name} cannot be decoded ({reason.rstrip('.')}): {advice}.") from error
        yield image


def has_several_frames(image: Image.Image) -> bool:
    """Return True for animations and files of several pages; False for photos with a preview or a second view."""
    if image.format in PHOTO_FORMATS:
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # noqa: BLE001 (the frames after the first one are damaged)
        return False


def _check_format(image: Image.Image) -> None:
    if image.format in VECTOR_FORMATS:
        raise ValueError(f"{image.format} is a format of drawings, not of pixels")
    if not image.width or not image.height:
        raise ValueError(f"it has {image.width}×{image.height} pixels")


def _check_pixels(image: Image.Image, limits: DecodeLimits | None) -> None:
    pixels = image.width * image.height
    if limits is not None and pixels > limits.pixels:
        raise ValueError(f"it has {image.width}×{image.height} pixels, more than the limit of {limits.pixels:,}")


def _identify(source: str | Path | BinaryIO) -> tuple[str, str]:
    """Return the kind of a file that is no image, and an advice if there is a special one."""
    try:
        if isinstance(source, (str, Path)):
            with open(source, "rb") as file:
                content = file.read(FIRST_BYTES)
        else:
            source.seek(0)
            content = source.read(FIRST_BYTES)
    except (OSError, ValueError):
        return "unknown format", ""
    if not content:
        return "an empty file", ""
    lower = content.lower()
    if not content.strip(b"\0"):
        return "a file of zeros", ""
    for start, offset, kind, advice in CONTENTS:
        if lower[offset : offset + len(start)] == start:
            return kind, "" if advice == DEFAULT_ADVICE else advice
    return "unknown format", ""
