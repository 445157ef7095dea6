"""Frames of videos: numbers, time ranges, steps, rotation, and files that are no videos."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frozenseg.cli.image_job import refuse_damaged
from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.image_run import ImageRun
from frozenseg.inference.run_folder import RunFolder
from frozenseg.inference.sources.image_list import image_list
from frozenseg.inference.sources.video import FrameRange

RATE, FRAMES = 10, 20


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of two seconds whose frames are as bright as their number, times 10."""
    av = pytest.importorskip("av")
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES):
            pixels = np.full((48, 64, 3), 10 * number + 10, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize(
    ("frames", "numbers"),
    [
        (FrameRange(), list(range(FRAMES))),
        (FrameRange(step=7), [0, 7, 14]),
        (FrameRange(start=1.5), [15, 16, 17, 18, 19]),
        (FrameRange(step=2, start=0.5, end=1.0), [5, 7, 9]),
    ],
)
def test_frames_are_numbered_by_their_time(clip: Path, frames: FrameRange, numbers: list[int]) -> None:
    images = image_list([clip], frames)
    pending = list(images)
    assert [image.name for image in pending] == [f"clip.mp4/frame_{number:06d}" for number in numbers]
    means = [np.asarray(image.decode()).mean() for image in pending]
    np.testing.assert_allclose(means, [10 * number + 10 for number in numbers], atol=4)
    assert abs(len(images) - len(numbers)) <= 1
    assert len({image.version for image in pending}) == len(numbers)


def test_files_that_are_no_videos(clip: Path) -> None:
    clip.write_bytes(b"no video")
    images = image_list([clip])
    [image] = images
    assert (image.name, len(images)) == ("clip.mp4", 1)
    with pytest.raises(DataError, match=r"The video .*clip.mp4 cannot be decoded"):
        image.decode()
    with pytest.raises(DataError, match=r"clip.mp4 cannot be decoded .*; or leave such images out with --skip-bad"):
        refuse_damaged(images)


def test_a_damaged_video_is_skipped_like_an_image(clip: Path, tmp_path: Path) -> None:
    clip.write_bytes(b"no video")
    Image.new("RGB", (8, 6)).save(tmp_path / "a.png")
    Image.new("RGB", (8, 6)).save(tmp_path / "d.png")

    def segment(images: list[Image.Image]) -> list[Any]:
        return [None for _ in images]

    run = ImageRun(RunFolder(tmp_path / "out"), segment, lambda *_: {}, skip_bad=True)
    *_, report = run(image_list([tmp_path]))
    assert list(report.versions) == ["a.png", "clip.mp4", "d.png"]
    assert (report.done, list(report.skipped)) == (2, ["clip.mp4"])
    *_, report = run(image_list([tmp_path]))
    assert (report.done, report.resumed, list(report.skipped)) == (0, 2, ["clip.mp4"])


def test_a_cut_video_ends_with_a_message_or_with_the_frames_that_are_there(clip: Path) -> None:
    content = clip.read_bytes()
    clip.write_bytes(content[: len(content) // 2])
    *_, last = image_list([clip])
    assert last.name == "clip.mp4"
    with pytest.raises(DataError, match="clip.mp4 cannot be decoded"):
        last.decode()


def test_without_pyav_a_message_names_the_extra(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(DataError, match=r'pip install "frozenseg\[video\]"'):
        refuse_damaged(image_list([clip]))


@pytest.mark.parametrize("values", [{"step": 0}, {"start": -1.0}, {"start": 2.0, "end": 2.0}])
def test_empty_ranges_are_refused(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="expected"):
        FrameRange(**values)
