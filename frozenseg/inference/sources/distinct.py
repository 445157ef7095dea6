"""Distinct names and stems of output files for the images of a call."""

from collections import Counter
from collections.abc import Sequence
from pathlib import PurePosixPath

from frozenseg.inference.sources.files import NamedFile


def distinct_file_names(files: Sequence[NamedFile]) -> list[str]:
    """Return the relative name of each file; where files share one, with the name of its folder, or numbered.

    Names that differ in capitals only count as equal, as on some file systems.
    """
    counts = Counter(file.name.lower() for file in files)
    taken = NameRegister()
    return [taken.add(file.name if counts[file.name.lower()] == 1 else _with_folder(file)) for file in files]


def _with_folder(file: NamedFile) -> str:
    folder = file.root.resolve().name
    return f"{folder}/{file.name}" if folder else file.name  # "" is the root of the file system


def distinct_stems(names: Sequence[str]) -> list[str]:
    """Return each name without its ending; with it where names share a stem."""
    counts = Counter(stem_of(name).lower() for name in names)
    taken = NameRegister()
    return [taken.add(stem_of(name) if counts[stem_of(name).lower()] == 1 else name) for name in names]


def stem_of(name: str) -> str:
    """Return a relative name without the ending of the file."""
    return PurePosixPath(name).with_suffix("").as_posix()


class NameRegister:
    """Names in use, without regard to capitals."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def add(self, name: str) -> str:
        """Return a name that is not in use yet: the name, or ``name_2.jpg`` and so on."""
        path, candidate, number = PurePosixPath(name), name, 1
        while candidate.lower() in self._taken:
            number += 1
            candidate = path.with_name(f"{path.stem}_{number}{path.suffix}").as_posix()
        self._taken.add(candidate.lower())
        return candidate
