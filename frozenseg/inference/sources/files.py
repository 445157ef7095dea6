"""Image and video files that a user names by paths, folders and patterns, each with a name relative to that folder."""

import glob
import os
from pathlib import Path
from typing import NamedTuple

from frozenseg.errors import DataError
from frozenseg.inference.image_files import SUFFIXES
from frozenseg.log import get_logger

logger = get_logger(__name__)
VIDEO_SUFFIXES = (".mp4", ".mov", ".avi", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv")
RUN_FOLDER = ".frozenseg"  # subfolder of every output folder; such folders are no inputs


class NamedFile(NamedTuple):
    """A file and its name in the outputs.

    Attributes:
        path: of the file.
        name: path relative to ``root``, with ``/``.
        root: folder that the user has named, or that the file is in.
    """

    path: Path
    name: str
    root: Path


def named_files(path: Path) -> list[NamedFile]:
    """Return the file of a path, the files below a folder, or those that match a pattern such as ``in/**/*.jpg``.

    Hidden files and folders, and output folders of earlier runs below a folder, are left out; links to folders are
    followed, each folder once. A path that does not exist is returned as it is; its backslashes are taken as slashes if
    that names a file.

    Raises:
        DataError: a folder cannot be read or has no image, a pattern matches nothing, or the path is a pipe or device.
    """
    if not _exists(path) and "\\" in str(path) and _exists(Path(str(path).replace("\\", "/"))):
        path = Path(str(path).replace("\\", "/"))
    if _is_folder(path):
        return _below(path)
    if not _exists(path) and glob.has_magic(str(path)):
        return _matches(path)
    if _exists(path) and not path.is_file():
        raise DataError(
            f"The input {path} is {_kind(path)}, expected a file: pass the bytes of an image by '-' (standard input)."
        )
    return [NamedFile(path, path.name, path.parent)]


def is_video(path: Path) -> bool:
    """Return True if a file has the ending of a video."""
    return path.suffix.lower() in VIDEO_SUFFIXES


def _below(folder: Path) -> list[NamedFile]:
    files: list[NamedFile] = []
    visited = {os.path.realpath(folder)}
    for parent, folders, names in os.walk(folder, onerror=_refuse_unreadable, followlinks=True):
        by_kind = sorted(folders, key=lambda name: (os.path.islink(os.path.join(parent, name)), name))
        folders[:] = [name for name in by_kind if _is_new(Path(parent, name), visited)]
        for name in names:
            path = Path(parent, name)
            if path.suffix.lower() in (*SUFFIXES, *VIDEO_SUFFIXES) and not name.startswith(".") and _is_file(path):
                files.append(NamedFile(path, path.relative_to(folder).as_posix(), folder))
    if not files:
        raise DataError(
            f"The folder {folder} has no image, in its subfolders neither ({', '.join(SUFFIXES)}): name another folder."
        )
    return sorted(files, key=lambda file: file.name)


def _is_new(folder: Path, visited: set[str]) -> bool:
    """Return True for a folder to search, and add it to those that are visited; links may lead to one of them."""
    if _is_left_out(folder) or (target := os.path.realpath(folder)) in visited:
        return False
    visited.add(target)
    return True


def _is_left_out(folder: Path) -> bool:
    """Return True for a hidden folder, and for one with the outputs of a run."""
    if folder.name.startswith("."):
        return True
    if os.path.isdir(folder / RUN_FOLDER):
        logger.info("%s has the outputs of a run: left out.", folder)
        return True
    return False


def _refuse_unreadable(error: OSError) -> None:
    raise DataError(
        f"The folder {error.filename} cannot be read ({error.strerror}): change its permissions, or "
        "name another folder."
    ) from error


def _matches(pattern: Path) -> list[NamedFile]:
    matches = sorted(Path(match) for match in glob.glob(str(pattern), recursive=True))
    if not matches:
        raise DataError(f"No file matches the pattern {pattern}: check the folder and the ending of the names.")
    root = Path(*_fixed_parts(pattern))
    files = [_below_root(path, root) for path in matches if os.path.isfile(path)]
    return files or [_below_root(file.path, root) for path in matches for file in _below(path)]


def _below_root(path: Path, root: Path) -> NamedFile:
    """Return a file with its name below a folder; of a path that leaves the folder by ``..`` only the last part."""
    relative = path.relative_to(root)
    if ".." in relative.parts:
        return NamedFile(path, path.name, path.parent)
    return NamedFile(path, relative.as_posix(), root)


def _fixed_parts(pattern: Path) -> list[str]:
    """Return the folders of a pattern before the first one with a wildcard."""
    fixed: list[str] = []
    for part in pattern.parent.parts:
        if glob.has_magic(part):
            break
        fixed.append(part)
    return fixed


def _is_file(path: Path) -> bool:
    """Return True for a file; a pipe, socket or device is left out with a warning, as reading it may block.

    Raises:
        DataError: its folder can be listed and not entered.
    """
    try:
        if path.exists() and not path.is_file():
            logger.warning("%s is %s: left out.", path, _kind(path))
        return path.is_file()
    except OSError as error:
        raise DataError(
            f"The folder {path.parent} cannot be read ({error.strerror}): change its permissions, or name another "
            "folder."
        ) from error


def _kind(path: Path) -> str:
    """Return what an existing path is that is no file."""
    kinds = (path.is_dir, "a folder"), (path.is_fifo, "a named pipe"), (path.is_socket, "a socket")
    return next((kind for is_kind, kind in kinds if is_kind()), "a device")


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # a name that is too long, or with NUL
        return False


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False
