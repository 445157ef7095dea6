"""An encoded image from standard input."""

import hashlib
import sys
from functools import partial
from typing import BinaryIO

from frozenseg.errors import DataError
from frozenseg.inference.image_inputs import load_image
from frozenseg.inference.sources.source_image import PendingImage

STANDARD_INPUT = "-"
STDIN_NAME = "stdin"
MAX_STDIN_BYTES = 2**30


def read_standard_input(stream: BinaryIO | None = None) -> PendingImage:
    """Read the bytes of one image file.

    Args:
        stream: binary stream; None for that of this process.

    Raises:
        DataError: it is a terminal, is closed or empty, or has more than a GiB.
    """
    source = stream if stream is not None else getattr(sys.stdin, "buffer", None)
    if source is None or source.isatty():
        raise DataError("The input '-' is a terminal, expected the bytes of an image: write `… < image.jpg`.")
    content = source.read(MAX_STDIN_BYTES + 1)
    if not content:
        raise DataError("The input '-' is empty, expected the bytes of an image: write `… < image.jpg`.")
    if len(content) > MAX_STDIN_BYTES:
        raise DataError(f"The input '-' has more than {MAX_STDIN_BYTES} bytes, expected one image: name a file.")
    return PendingImage(STDIN_NAME, STDIN_NAME, partial(load_image, content), None, hashlib.sha256(content).hexdigest())
