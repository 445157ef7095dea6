"""Paths of output files: they mirror the tree of the input, and are below the output folder whatever the names are."""

import hashlib
import os
import re
from pathlib import Path
from urllib.parse import quote

MAX_NAME_BYTES = 200  # bytes of a file name; systems have 255, of which a temporary name and an ending take some
IS_WINDOWS = os.name == "nt"
UNSAFE_ON_WINDOWS = re.compile(r'[\x00-\x1f<>:"|?*\\]|[. ]$')
DEVICES_OF_WINDOWS = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)(\.|$)", re.IGNORECASE)
DIGITS = 8  # of the hash that keeps changed names distinct


def output_file(folder: Path, stem: str, suffix: str) -> Path:
    """Return the path of an output file; folders ``..``, roots and characters that the system refuses have no effect.

    A part of the stem that is changed or shortened ends with a hash, so that names stay distinct.

    Args:
        folder: that it is in.
        stem: relative path without ending, ``/`` between folders.
        suffix: ending, such as ``.png``.
    """
    parts = [_safe(part) for part in stem.split("/") if part not in ("", ".")] or ["image"]
    return folder.joinpath(*parts[:-1], parts[-1] + suffix)


def relative_url(path: Path, folder: Path) -> str:
    """Return the address of a file for a page in a folder, percent-encoded."""
    return quote(os.fsencode(path.relative_to(folder).as_posix()))


def printable(text: str) -> str:
    """Return a text for XML and HTML: control characters and bytes of unknown encoding are replaced."""
    replaced = text.encode("utf-8", "replace").decode("utf-8")
    return re.sub(r"[\x00-\x1f\x7f\ufffe\uffff]", "\ufffd", replaced)


def _safe(part: str) -> str:
    name = UNSAFE_ON_WINDOWS.sub("_", part) if IS_WINDOWS else part.replace("\0", "_")
    if part == ".." or IS_WINDOWS and DEVICES_OF_WINDOWS.match(name):
        name = f"_{name.strip('.')}"
    content = os.fsencode(name)
    if len(content) > MAX_NAME_BYTES:
        name = content[: MAX_NAME_BYTES - DIGITS - 1].decode("utf-8", "ignore")
    if name == part:
        return part
    return f"{name}_{hashlib.sha256(os.fsencode(part)).hexdigest()[:DIGITS]}"
