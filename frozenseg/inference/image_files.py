"""Image files that a user names by paths, folders and patterns, and distinct names for what is made of them."""

import glob
import os
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from frozenseg.errors import DataError

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm", ".jp2", ".avif")


def list_images(inputs: Sequence[str | Path]) -> list[Path]:
    """Return the files of paths, of folders (their images, without subfolders) and of patterns such as ``in/*.jpg``.

    A file that is named twice is returned once. A path that does not exist is returned as it is; its backslashes are
    taken as slashes if that names a file.

    Raises:
        DataError: a folder has no image, or a pattern matches nothing.
    """
    files = [file for each in inputs for file in _files_of(Path(each))]
    return list({file.resolve(): file for file in reversed(files)}.values())[::-1]


def _files_of(path: Path) -> list[Path]:
    if not os.path.exists(path) and "\\" in str(path) and os.path.exists(str(path).replace("\\", "/")):
        path = Path(str(path).replace("\\", "/"))
    if os.path.isdir(path):
        files = sorted(file for file in path.iterdir() if file.suffix.lower() in SUFFIXES and file.is_file())
        visible = [file for file in files if not file.name.startswith(".")]
        if not visible:
            raise DataError(f"The folder {path} has no image ({', '.join(SUFFIXES)}): name another folder.")
        return visible
    if not os.path.exists(path) and glob.has_magic(str(path)):
        matches = sorted(Path(match) for match in glob.glob(str(path), recursive=True))
        if not matches:
            raise DataError(f"No file matches the pattern {path}: check the folder and the ending of the names.")
        return [match for match in matches if match.is_file()] or _files_of(matches[0])
    return [path]


def distinct_names(files: Sequence[Path]) -> list[str]:
    """Return a name for each file: its stem, where files share one with its ending, with its folder, or numbered.

    Names that differ in capitals only count as equal, as on some file systems.
    """
    forms: tuple[Callable[[Path], str], ...] = (
        lambda file: file.stem,
        lambda file: file.name,
        lambda file: f"{file.resolve().parent.name}_{file.name}",
    )
    names = [forms[0](file) for file in files]
    for form in forms[1:]:
        counts = Counter(name.lower() for name in names)
        names = [form(file) if counts[name.lower()] > 1 else name for name, file in zip(names, files, strict=True)]
    used: set[str] = set()
    for index, name in enumerate(names):
        number = 1
        while names[index].lower() in used:
            number += 1
            names[index] = f"{name}_{number}"
        used.add(names[index].lower())
    return names
