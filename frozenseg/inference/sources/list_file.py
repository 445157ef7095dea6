"""Text files with one image a line."""

import os
from pathlib import Path

from frozenseg.errors import DataError
from frozenseg.inference.sources.files import NamedFile, named_files

LIST_SUFFIXES = (".txt", ".lst", ".list")


def is_list_file(path: Path) -> bool:
    """Return True if a file has the ending of a list of images."""
    return path.suffix.lower() in LIST_SUFFIXES


def read_list_file(path: Path) -> list[NamedFile]:
    """Read the images of a list; empty lines and lines that begin with ``#`` are skipped.

    Relative paths are relative to the folder of the list, or to the working directory if there is no such file.

    Args:
        path: text file in UTF-8; a line is a path, a folder or a pattern.

    Raises:
        DataError: the file is missing or no text, lists nothing, or a line names a file that does not exist.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError as error:
        raise DataError(f"The list of images {path} does not exist: check its path.") from error
    except (OSError, ValueError) as error:
        raise DataError(
            f"The list of images {path} cannot be read ({error}): it must be a text file in UTF-8 with one path a line."
        ) from error
    entries = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    files = [
        file
        for number, line in entries
        if line and not line.startswith("#")
        for file in _files_of_line(path, number, line)
    ]
    if not files:
        raise DataError(f"The list of images {path} names no image: write one path a line.")
    return files


def _files_of_line(source: Path, number: int, line: str) -> list[NamedFile]:
    beside = source.parent / line
    refusals: list[DataError] = []
    for candidate in dict.fromkeys((beside, Path(os.path.expanduser(line)))):
        try:
            files = named_files(candidate)
        except DataError as error:
            refusals.append(error)
            continue
        if os.path.isfile(files[0].path):
            return [_named_as_written(file, line) for file in files]
    if refusals:
        raise DataError(f"{source}, line {number}: {refusals[0]}") from refusals[0]
    raise DataError(
        f"{source}, line {number}: the image {line[:200]!r} does not exist, neither in {source.parent} nor in the "
        "working directory: correct or remove the line."
    )


def _named_as_written(file: NamedFile, line: str) -> NamedFile:
    """Return a file with the relative path of its line as its name, if that is below the folder of the list."""
    written = Path(line)
    if file.name != written.name or written.is_absolute() or ".." in written.parts:
        return file
    depth = len(written.parts)
    return NamedFile(file.path, written.as_posix(), Path(*file.path.parts[:-depth]) if depth else file.root)
