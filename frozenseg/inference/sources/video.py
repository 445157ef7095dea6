"""Frames of video files, decoded with PyAV."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from PIL import Image

from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.sources.source_image import PendingImage


@dataclass(frozen=True)
class FrameRange:
    """Frames of a video that are used.

    Attributes:
        step: 1 for every frame, 10 for every tenth.
        start: first second.
        end: last second; None for the end of the video.
    """

    step: int = 1
    start: float = 0.0
    end: float | None = None

    def __post_init__(self) -> None:
        """Raise ConfigError for an empty range."""
        if self.step < 1:
            raise ConfigError(f"The frame step is {self.step}, expected 1 for every frame, or more.")
        if self.start < 0 or (self.end is not None and self.end <= self.start):
            raise ConfigError(
                f"The time range of videos begins at {self.start:g} s and ends at {self.end} s, expected a start of 0 "
                "or more, and an end after it."
            )


@dataclass(frozen=True)
class Video:
    """A video file as a sequence of images with the names ``NAME/frame_000123``.

    Frames are numbered from 0 by their time and the frame rate.

    Attributes:
        path: of the file.
        name: beginning of the names of its frames.
        frames: frames that are used.
        version: of the file, see :class:`PendingImage`.
    """

    path: Path
    name: str
    frames: FrameRange
    version: str = ""

    def __iter__(self) -> Iterator[PendingImage]:
        """Decode the frames one after the other; an image that cannot be decoded ends those of a damaged file.

        Its name is that of the video, and its error says why: the file is no video, or PyAV is missing.
        """
        try:
            yield from self._frames()
        except DataError as error:
            yield PendingImage(self.name, self.name, partial(_refuse, error), self.path, self.version)

    def _frames(self) -> Iterator[PendingImage]:
        with self._container() as container:
            numbered = self._decoded(container, container.streams.video[0])
            for index, (number, frame) in enumerate(numbered):
                if index % self.frames.step == 0:
                    yield self._pending(number, partial(_to_image, frame, f"{self.path}, frame {number}"))

    def count(self) -> int:
        """Return the expected number of frames, from the header; 0 if the header has none.

        Raises:
            DataError: the file is no video, or PyAV is missing.
        """
        with self._container() as container:
            stream = container.streams.video[0]
            rate, total = float(stream.average_rate or 0), stream.frames
            if not rate:
                return 0
            length = total / rate if total else float(container.duration or 0) / 1e6
        end = length if self.frames.end is None else min(self.frames.end, length)
        return max(round((end - self.frames.start) * rate / self.frames.step), 0)

    def _container(self) -> Any:
        try:
            import av
        except ImportError as error:
            raise DataError(
                f'The video {self.path} needs PyAV, which is not installed: pip install "frozenseg[video]", or extract '
                "its frames to images."
            ) from error
        try:
            container = av.open(str(self.path))
        except (OSError, ValueError) as error:  # errors of PyAV are both, or one of them
            raise self._refused(error) from error
        if not container.streams.video:
            container.close()
            raise DataError(f"The video {self.path} has no images (only {_kinds(container)}): name another file.")
        return container

    def _decoded(self, container: Any, stream: Any) -> Iterator[tuple[int, Any]]:
        """Yield the frames of the time range with their numbers; an error of the decoder ends them with a message."""
        stream.thread_type = "AUTO"
        rate, number = float(stream.average_rate or 1), -1
        try:
            if self.frames.start:
                container.seek(int(self.frames.start * 1e6))
            for frame in container.decode(stream):
                time = frame.time or 0.0
                if self.frames.end is not None and time > self.frames.end:
                    return
                if time >= self.frames.start:
                    number = max(round(time * rate), number + 1)
                    yield number, frame
        except (OSError, ValueError) as error:
            raise self._refused(error) from error

    def _pending(self, number: int, decode: partial[Image.Image]) -> PendingImage:
        name = f"{self.name}/frame_{number:06d}"
        return PendingImage(name, name, decode, self.path, self.version and f"{self.version} frame {number}")

    def _refused(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or error
        return DataError(f"The video {self.path} cannot be decoded ({reason}): convert it to MP4, or replace it.")


def _refuse(error: DataError) -> Image.Image:
    raise error


def _to_image(frame: Any, name: str) -> Image.Image:
    """Return a frame as an upright RGB image."""
    try:
        image: Image.Image = frame.to_image()
    except (OSError, ValueError) as error:
        raise DataError(f"The image {name} cannot be decoded ({error}): replace the video.") from error
    angle = getattr(frame, "rotation", 0)  # degrees counterclockwise, of phones
    return image.rotate(angle, expand=True) if angle else image


def _kinds(container: Any) -> str:
    return ", ".join(sorted({stream.type for stream in container.streams})) or "no streams"
