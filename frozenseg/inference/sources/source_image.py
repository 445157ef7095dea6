"""Images of a call, before and after they are decoded."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from frozenseg.errors import DataError


@dataclass(frozen=True)
class SourceImage:
    """A decoded image, or the reason that there is none.

    Attributes:
        name: relative path with ``/``, distinct within a call: ``sub/dir/photo.jpg``, ``clip.mp4/frame_000123``.
        stem: path of output files without their ending, distinct without regard to capitals: the name without its
            ending, with it if two names share one (``photo.jpg`` beside ``photo.png``).
        image: upright RGB; None if it cannot be decoded.
        error: message of an image that cannot be decoded; empty for others.
        path: file; None for URLs, standard input and values in memory.
    """

    name: str
    stem: str
    image: Image.Image | None
    error: str = ""
    path: Path | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels; zeros for an image that cannot be decoded."""
        return self.image.size if self.image is not None else (0, 0)


class PendingImage(NamedTuple):
    """An image that has a name and is not decoded yet.

    Attributes:
        name: see :class:`SourceImage`.
        stem: see :class:`SourceImage`.
        decode: returns the image; raises DataError if it cannot be decoded.
        path: see :class:`SourceImage`.
        version: changes if the content does (size and time of a file, address of a URL); empty if unknown.
    """

    name: str
    stem: str
    decode: Callable[[], Image.Image]
    path: Path | None = None
    version: str = ""

    def read(self) -> SourceImage:
        """Decode the image; an error becomes part of the result."""
        try:
            return SourceImage(self.name, self.stem, self.decode(), path=self.path)
        except DataError as error:
            return SourceImage(self.name, self.stem, None, str(error), self.path)
