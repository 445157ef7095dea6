"""Image paths of an annotation file → files below one folder, also for names that another machine or tool wrote.

A name is looked up as it is written. If there is no such file, these readings follow: backslashes as slashes, URL
quoting (``%20``), URLs and absolute paths of another machine by their last folders or their base name, and another
spelling (``.JPG``, ``.jpeg``, capitals, composed or decomposed Unicode). A reading counts only if one file matches it.

Names in an annotation file are foreign data: no file outside the folder is read, whatever path the name has. Symbolic
links inside the folder are followed.
"""

import os
import re
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from frozenseg.errors import DataError
from frozenseg.log import get_logger, warn_once
from frozenseg.structures.label_files import walk_files

logger = get_logger(__name__)
UPLOAD_PREFIX = re.compile(r"[0-9a-f]{8}-(?=.)")  # Label Studio puts it before the names of uploaded files
MAX_CANDIDATES = 3  # in a message


class ImagePaths:
    """Files below a folder that the names in an annotation file mean.

    Args:
        folder: of the files.
        source: the annotation file, for messages.
        option: the setting that names the folder, for messages.
    """

    def __init__(self, folder: str | Path, source: str | Path, option: str = "images=") -> None:
        self.folder, self.source, self.option = Path(folder), source, option
        self._listings: dict[str, frozenset[str]] = {}
        self._index: _FileIndex | None = None
        self._name_of_file: dict[str, str] = {}
        self._readings: Counter[str] = Counter()
        self._example = ""

    def resolve(self, name: Any) -> str:
        """Return the path of the file that a name means; the path as written if there is no such file.

        Raises:
            DataError: the name is no text, is outside the folder, matches several files, or means a file that another
                name means, too.
        """
        if not isinstance(name, str) or not name.strip() or "\0" in name:
            raise DataError(f"{self.source}: the file name {name!r} is no path: expected text such as 'images/1.jpg'.")
        inside = self._below_folder(name)
        if inside is not None and self._exists(inside):
            return self._unique(name, inside)
        match, reading = self._search(name)
        if match:
            self._readings[reading] += 1
            self._example = self._example or f"{name!r} is {match}"
            return self._unique(name, match)
        if inside is None:
            raise DataError(
                f"{self.source}: the file name {name!r} is outside the folder {self.folder}, in which no file has this "
                f"base name: give the folder of the files with {self.option}."
            )
        return str(self.folder / inside)

    def report(self) -> None:
        """Log how many names are not written as the files are; once for each annotation file."""
        if self._readings:
            total = len(self._name_of_file)
            counts = ", ".join(f"{count} of {total} {reading}" for reading, count in self._readings.items())
            message = "%s: file names that are not written as in %s were matched: %s. For example %s."
            warn_once(logger, message, self.source, self.folder, counts, self._example)

    def _unique(self, name: str, match: str) -> str:
        """Return the path of a match; two different names may not mean one file."""
        known = self._name_of_file.setdefault(match, name)
        if known != name:
            raise DataError(
                f"{self.source}: the file names {known!r} and {name!r} both mean {self.folder / match}: give the "
                f"folder in which each name is one file with {self.option}."
            )
        return str(self.folder / match)

    def _below_folder(self, name: str) -> str | None:
        """Return a path relative to the folder; None if it is outside."""
        if name[0] not in "/\\" and ":" not in name and ".." not in name:
            return name
        if ".." not in name.replace("\\", "/").split("/") and not os.path.isabs(name):
            return name
        root = os.path.abspath(self.folder)
        path = os.path.normpath(os.path.join(root, name.replace("\\", "/")))
        return os.path.relpath(path, root) if path.startswith(root.rstrip(os.sep) + os.sep) else None

    def _exists(self, inside: str) -> bool:
        """Return True if there is a file; a folder is listed once, which is faster than a look-up of every file."""
        parent, base = os.path.split(inside)
        if parent not in self._listings:
            try:
                self._listings[parent] = frozenset(os.listdir(self.folder / parent))
            except OSError:
                self._listings[parent] = frozenset()
        return base in self._listings[parent]

    def _search(self, name: str) -> tuple[str, str]:
        """Return the only file that another reading of the name matches, and that reading; two empty texts for none."""
        written = name.replace("\\", "/")
        paths = tuple(dict.fromkeys([written, unquote(written)]))
        for path in paths:
            inside = self._below_folder(path)
            if inside is not None and self._exists(inside):
                return inside, "with other slashes or quoting"
        if self._index is None:
            self._index = _FileIndex(self.folder)
        for path in paths:
            if files := self._index.by_path(path):
                return self._only(name, files), "in another spelling"
        parts = _parts(written)
        for start in range(1, len(parts) - 1):
            if files := self._index.by_path("/".join(parts[start:])):
                return self._only(name, files), "by the last folders"
        for base in (parts[-1], UPLOAD_PREFIX.sub("", parts[-1], count=1)) if parts else ():
            if files := self._index.by_name(base):
                return self._only(name, files), "by the base name"
        return "", ""

    def _only(self, name: str, files: list[str]) -> str:
        if len(files) > 1:
            listed = ", ".join(sorted(files)[:MAX_CANDIDATES]) + (" …" if len(files) > MAX_CANDIDATES else "")
            raise DataError(
                f"{self.source}: {self.folder} has no file {name!r}, but {len(files)} files that it may mean "
                f"({listed}): correct the name, or give the folder of the files with {self.option}."
            )
        return files[0]


class _FileIndex:
    """Files below a folder by path and by base name, regardless of capitals, Unicode form and ``.jpeg`` or ``.jpg``."""

    def __init__(self, folder: Path) -> None:
        self._by_path: dict[str, list[str]] = {}
        self._by_name: dict[str, list[str]] = {}
        for path in walk_files(folder):
            inside = path.relative_to(folder).as_posix()
            self._by_path.setdefault(_spelling(inside), []).append(inside)
            self._by_name.setdefault(_spelling(path.name), []).append(inside)

    def by_path(self, path: str) -> list[str]:
        """Return the files with a relative path."""
        return self._by_path.get(_spelling(path.removeprefix("./")), [])

    def by_name(self, name: str) -> list[str]:
        """Return the files with a base name."""
        return self._by_name.get(_spelling(name), [])


def _spelling(path: str) -> str:
    """Return the key under which two spellings of a path are equal."""
    key = unicodedata.normalize("NFC", path).casefold()
    return key.removesuffix(".jpeg") + ".jpg" if key.endswith(".jpeg") else key


def _parts(name: str) -> list[str]:
    """Return the folders and the base name of a path or URL; the path in the query ``?d=`` of Label Studio counts."""
    try:
        url = urlsplit(name)
    except ValueError:
        return [part for part in name.split("/") if part not in ("", ".", "..")]
    query = parse_qs(url.query).get("d", [])
    path = query[0] if query else unquote(url.path if url.scheme else name)
    return [part for part in path.replace("\\", "/").split("/") if part not in ("", ".", "..")]
