"""Everything that a user can name as input, as one sequence of pending images.

Example::

    for image in image_list(["photos", "more/*.png", "https://host/cat.jpg"]):
        print(image.name, image.decode().size)
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from frozenseg.errors import DataError
from frozenseg.inference.image_inputs import load_image
from frozenseg.inference.sources.distinct import NameRegister, distinct_file_names, distinct_stems, stem_of
from frozenseg.inference.sources.files import NamedFile, is_video, named_files
from frozenseg.inference.sources.in_memory import memory_name, pending_in_memory, single_images
from frozenseg.inference.sources.list_file import is_list_file, read_list_file
from frozenseg.inference.sources.source_image import PendingImage
from frozenseg.inference.sources.standard_input import STANDARD_INPUT, read_standard_input
from frozenseg.inference.sources.url import PUBLIC, UrlLimits, is_url, load_url, url_name
from frozenseg.inference.sources.video import FrameRange, Video

ALL_FRAMES = FrameRange()


@dataclass(frozen=True)
class InputImages:
    """Pending images with distinct names, of which videos are decoded while they are iterated over.

    Attributes:
        parts: images and videos.
    """

    parts: tuple[PendingImage | Video, ...]

    def __iter__(self) -> Iterator[PendingImage]:
        """Yield the images in order."""
        for part in self.parts:
            if isinstance(part, Video):
                yield from part
            else:
                yield part

    def __len__(self) -> int:
        """Return the number of images; of videos the number that their headers state, of damaged ones 1."""
        return sum(_count(part) if isinstance(part, Video) else 1 for part in self.parts)


def image_list(inputs: Sequence[Any], frames: FrameRange = ALL_FRAMES, url_limits: UrlLimits = PUBLIC) -> InputImages:
    """Return the images of paths, folders, patterns, lists of paths, URLs, standard input, videos and values in memory.

    Args:
        inputs: texts and paths: a file, a folder with its subfolders, a pattern, a ``.txt`` file with one path a line,
            a video, ``http(s)://…`` or ``-`` for standard input; or values in memory, see
            :func:`~frozenseg.inference.image_inputs.load_image`.
        frames: frames of videos that are used.
        url_limits: of the download of images.

    Raises:
        DataError: an input does not exist or has no image.
    """
    entries: list[NamedFile | PendingImage] = [entry for value in inputs for entry in _entries(value, url_limits)]
    if not entries:
        raise DataError("No input: name an image, a folder, a pattern, a list, a URL or a video.")
    entries = _numbered(list(_without_doubles(entries)))
    names = distinct_file_names([_as_file(entry) for entry in entries])
    stems = distinct_stems(names)
    return InputImages(
        tuple(_part(entry, name, stem, frames) for entry, name, stem in zip(entries, names, stems, strict=True))
    )


def pending_images(sources: Any, frames: FrameRange = ALL_FRAMES) -> Iterable[PendingImage]:
    """Return the images of a call: a single input, a list of inputs, or an iterator, which is read while it is used.

    Args:
        sources: an element of ``inputs`` of :func:`image_list`, a list of them, or an iterator over them.
        frames: see :func:`image_list`.
    """
    if isinstance(sources, InputImages):
        return sources
    if isinstance(sources, (list, tuple)):
        return image_list(sources, frames)
    if isinstance(sources, Iterator):
        return _as_they_come(sources, frames)
    return image_list([sources], frames)


def _as_they_come(sources: Iterator[Any], frames: FrameRange) -> Iterator[PendingImage]:
    """Yield the images of an iterator with distinct names, without looking ahead."""
    names, stems, number = NameRegister(), NameRegister(), 0
    for value in sources:
        for entry in [value] if isinstance(value, PendingImage) else image_list([value], frames):
            number += 1
            name = entry.name if entry.path is not None or entry.version else memory_name(number)
            name = names.add(name)
            yield entry._replace(name=name, stem=stems.add(stem_of(name)))


def _entries(value: Any, url_limits: UrlLimits) -> Iterator[NamedFile | PendingImage]:
    if isinstance(value, (str, os.PathLike)):
        yield from _of_text(os.fspath(value), url_limits)
    elif isinstance(value, PendingImage):
        yield value
    else:
        for image in single_images(value):
            yield pending_in_memory(image, 1)


def _of_text(text: Any, url_limits: UrlLimits) -> Sequence[NamedFile | PendingImage]:
    text = os.fsdecode(text)
    if text == STANDARD_INPUT:
        return [read_standard_input()]
    if is_url(text):
        return [PendingImage(url_name(text), "", partial(load_url, text, url_limits), None, text)]
    path = Path(os.path.expanduser(text))
    if not text or "\0" in text:
        raise DataError(f"The input {text!r} is no path: name an image, a folder, a pattern, a list, a URL or a video.")
    files = read_list_file(path) if is_list_file(path) and not os.path.isdir(path) else named_files(path)
    for file in files:
        if not os.path.exists(file.path):
            raise DataError(f"The input {file.path} does not exist: name an image, a folder, a pattern or a URL.")
    return files


def _without_doubles(entries: Iterable[NamedFile | PendingImage]) -> Iterator[NamedFile | PendingImage]:
    """Yield a file that is named twice once."""
    paths: set[Path] = set()
    for entry in entries:
        if isinstance(entry, NamedFile):
            resolved = entry.path.resolve()
            if resolved in paths:
                continue
            paths.add(resolved)
        yield entry


def _numbered(entries: list[NamedFile | PendingImage]) -> list[NamedFile | PendingImage]:
    """Return entries of which those in memory have their number as a name."""
    return [
        entry._replace(name=memory_name(number))
        if isinstance(entry, PendingImage) and not entry.version and entry.path is None
        else entry
        for number, entry in enumerate(entries, start=1)
    ]


def _as_file(entry: NamedFile | PendingImage) -> NamedFile:
    """Return an entry with its name, for the comparison of names."""
    return entry if isinstance(entry, NamedFile) else NamedFile(Path(entry.name), entry.name, Path("web"))


def _part(entry: NamedFile | PendingImage, name: str, stem: str, frames: FrameRange) -> PendingImage | Video:
    if isinstance(entry, PendingImage):
        return entry._replace(name=name, stem=stem)
    version = _file_version(entry.path)
    if is_video(entry.path):
        return Video(entry.path, name, frames, version)
    return PendingImage(name, stem, partial(load_image, entry.path), entry.path, version)


def _count(video: Video) -> int:
    try:
        return video.count()
    except DataError:
        return 1  # the image that names the error


def _file_version(path: Path) -> str:
    """Return the size and the time of the last change of a file; empty if it cannot be read."""
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} bytes, {status.st_mtime_ns} ns"
