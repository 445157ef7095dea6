"""Checks that output folders and files can be written, for the start of long work."""

import os
import tempfile
from pathlib import Path

from frozenseg.errors import ConfigError

MAX_SHOWN_PATH = 200  # characters of a path in a message


def require_folder(path: str | Path, name: str) -> Path:
    """Create an output folder, and check that files can be written in it.

    Args:
        path: the folder; ``~`` is the home folder.
        name: key or flag that names the folder, for messages.

    Returns:
        The folder.

    Raises:
        ConfigError: the folder cannot be created, or no file can be written in it.
    """
    return _require(path, path, name, "folder")


def require_file(path: str | Path, name: str) -> Path:
    """Create the folder of an output file, and check that files can be written in it.

    Args:
        path: the file; ``~`` is the home folder. A file that exists is not changed.
        name: key or flag that names the file, for messages.

    Returns:
        The file.

    Raises:
        ConfigError: the path is a folder, or no file can be written there.
    """
    if os.path.isdir(path):
        raise ConfigError(f"{name} {_shown(path)} cannot be written (it is a folder): choose another file.")
    return _require(path, Path(path).parent, name, "file") / Path(path).name


def require_free(folder: Path, folders: tuple[str, ...], files: tuple[str, ...], name: str) -> None:
    """Check that no file of an output folder has the name of a subfolder that will be written, and the reverse.

    Args:
        folder: the output folder.
        folders: names of subfolders that will be written.
        files: names of files that will be written.
        name: key or flag that names the folder, for messages.

    Raises:
        ConfigError: a name is taken.
    """
    taken = [(entry, "file", "folder") for entry in folders if (folder / entry).is_file()]
    taken += [(entry, "folder", "file") for entry in files if (folder / entry).is_dir()]
    for entry, actual, expected in taken:
        raise ConfigError(
            f"{name} {_shown(folder)} has a {actual} {entry}, where a {expected} will be written: remove it, or choose "
            "another folder."
        )


def file_in_the_way(folder: str | Path) -> str:
    """Return a description of a file with the name of a folder or of one of its parents; empty for none."""
    for path in (Path(folder), *Path(folder).parents):
        if os.path.isfile(path):
            return f"{path} is a file"
    return ""


def _require(path: str | Path, folder: str | Path, name: str, kind: str) -> Path:
    """Check the folder of an output path, for a message about the path."""
    try:
        target = Path(folder).expanduser()
        target.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=target, prefix=".frozenseg_") as file:  # permissions alone do not tell
            file.write(b"x")
    except (OSError, RuntimeError, ValueError) as error:  # RuntimeError: no home folder; ValueError: NUL in the path
        reason = (error.strerror or error) if isinstance(error, OSError) else error
        raise ConfigError(
            f"{name} {_shown(path)} cannot be written ({file_in_the_way(folder) or reason}): choose another {kind}."
        ) from error
    return target


def _shown(path: str | Path) -> str:
    text = str(path).replace("\0", "\\0")
    return text if len(text) <= MAX_SHOWN_PATH else f"{text[:MAX_SHOWN_PATH]}…"
