"""Runs over images: batches, resuming to the same records, broken images, full disks, other settings."""

import errno
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from frozenseg.atomic import write_text
from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.image_run import ImageRun, RunReport
from frozenseg.inference.run_folder import RunFolder
from frozenseg.inference.sources.source_image import PendingImage, SourceImage

SETTINGS = {"vocabulary": ["cat", "dog"], "weights": "toyworld 0123"}


def pending(number: int) -> PendingImage:
    def decode() -> Image.Image:
        if number == 4:
            raise DataError("The image 4 cannot be decoded (broken): replace it.")
        return Image.new("RGB", (number + 1, 1))

    return PendingImage(f"sub/{number}.png", f"sub/{number}", decode, Path(f"{number}.png"), f"version {number}")


IMAGES = [pending(number) for number in range(8)]


class Drill:
    """A run whose results are the widths of the images of their batch, and that fails at a chosen image."""

    def __init__(self, folder: Path, fail_at: int | None = None, error: BaseException | None = None) -> None:
        self.folder, self.fail_at, self.error = RunFolder(folder), fail_at, error
        self.batches: list[list[int]] = []

    def segment(self, images: list[Image.Image]) -> list[Any]:
        self.batches.append([image.width - 1 for image in images])
        return [list(self.batches[-1]) for _ in images]

    def write(self, image: SourceImage, result: Any) -> dict[str, Any]:
        if self.fail_at is not None and image.name == f"sub/{self.fail_at}.png":
            raise self.error or RuntimeError("killed")
        return {"batch": result}

    def run(self, **options: Any) -> RunReport:
        self.folder.open(SETTINGS)
        run = ImageRun(self.folder, self.segment, self.write, batch=3, skip_bad=True, **{"workers": 1, **options})
        for report in run(IMAGES):
            last = report
        self.records = list(run.records(last))
        return last


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("frozenseg.inference.image_run.logger.warning", lambda *_: None)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_consecutive_images_without_the_broken_ones(tmp_path: Path, workers: int) -> None:
    drill = Drill(tmp_path)
    report = drill.run(workers=workers)
    assert drill.batches == [[0, 1, 2], [3, 5], [6, 7]]
    assert (report.done, report.resumed, list(report.skipped)) == (7, 0, ["sub/4.png"])
    assert [record["name"] for record in drill.records] == [f"sub/{number}.png" for number in (0, 1, 2, 3, 5, 6, 7)]


@pytest.mark.parametrize("fail_at", [0, 2, 5, 6])
def test_a_killed_run_is_resumed_to_the_same_records(tmp_path: Path, fail_at: int) -> None:
    whole = Drill(tmp_path / "whole")
    whole.run()
    with pytest.raises(RuntimeError):
        Drill(tmp_path / "killed", fail_at).run()
    resumed = Drill(tmp_path / "killed")
    report = resumed.run()
    assert resumed.records == whole.records
    assert report.done + report.resumed == 7
    assert report.resumed == [0, 1, 2, 3, 5, 6, 7].index(fail_at)
    assert resumed.batches == whole.batches[fail_at // 3 :]  # whole batches, and no batch that is finished
    for path in (tmp_path / "whole").rglob("*.json"):
        assert path.read_bytes() == (tmp_path / "killed" / path.relative_to(tmp_path / "whole")).read_bytes()


def test_nothing_is_segmented_again(tmp_path: Path) -> None:
    Drill(tmp_path).run()
    drill = Drill(tmp_path)
    report = drill.run()
    assert (report.done, report.resumed, list(report.skipped), drill.batches) == (0, 7, ["sub/4.png"], [])
    assert len(drill.records) == 7
    with pytest.raises(DataError, match="--skip-bad"):  # a skipped image is no finished one without the flag
        list(ImageRun(drill.folder, drill.segment, drill.write, batch=3)(IMAGES))


def test_a_download_that_has_failed_is_tried_again(tmp_path: Path) -> None:
    drill = Drill(tmp_path)
    run = ImageRun(drill.folder, drill.segment, drill.write, skip_bad=True)
    list(run([IMAGES[4]._replace(path=None)]))
    *_, report = run([IMAGES[4]._replace(path=None, decode=IMAGES[0].decode)])
    assert (report.done, report.skipped) == (1, {})


def test_a_changed_image_is_done_again(tmp_path: Path) -> None:
    Drill(tmp_path).run()
    drill = Drill(tmp_path)
    run = ImageRun(drill.folder, drill.segment, drill.write, skip_bad=True)
    *_, report = run([IMAGES[0]._replace(version="another"), IMAGES[1]])
    assert (report.done, report.resumed, drill.batches) == (1, 1, [[0]])


def test_a_broken_image_is_refused_with_the_flag_that_skips_it(tmp_path: Path) -> None:
    drill = Drill(tmp_path)
    with pytest.raises(DataError, match=r"The image 4 cannot be decoded \(broken\): replace it; or .* --skip-bad"):
        list(ImageRun(drill.folder, drill.segment, drill.write, batch=3)(IMAGES))
    assert drill.folder.record("sub/2.png", "version 2 ") is not None


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    drill = Drill(tmp_path, fail_at=5, error=OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(ConfigError, match=r"of sub/5.png cannot be written .*No space left on device.* are kept"):
        drill.run()
    assert Drill(tmp_path).run().resumed == 4


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (MemoryError(), "sub/0.png, sub/1.png, sub/2.png: lower --batch \\(3 images\\)"),
        (DataError("too large"), "sub/0.png, sub/1.png, sub/2.png: too large"),
    ],
)
def test_failures_of_the_model_name_the_images(
    tmp_path: Path, error: Exception, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    drill = Drill(tmp_path)

    def fail(images: list[Image.Image]) -> Any:
        raise error

    monkeypatch.setattr(drill, "segment", fail)
    with pytest.raises(DataError, match=message):
        drill.run()


def test_a_run_with_other_settings_is_refused_with_the_differences(tmp_path: Path) -> None:
    Drill(tmp_path).run()
    with pytest.raises(ConfigError) as caught:
        RunFolder(tmp_path).open({**SETTINGS, "vocabulary": ["cat", "bird"]})
    assert '(vocabulary: ["cat", "dog"] there, ["cat", "bird"] now)' in str(caught.value)
    assert "choose another --output, or give --overwrite" in str(caught.value)
    RunFolder(tmp_path).open({**SETTINGS, "vocabulary": ["cat", "bird"]}, overwrite=True)
    assert RunFolder(tmp_path).record("sub/0.png", "version 0 ") is None
    with pytest.raises(ConfigError, match="vocabulary"):
        RunFolder(tmp_path).open(SETTINGS)


def test_damaged_files_of_the_folder(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    Drill(tmp_path).run()
    (tmp_path / ".frozenseg/records/sub/0.png.json").write_text("{", encoding="utf-8")
    assert RunFolder(tmp_path).record("sub/0.png", "version 0 ") is None
    (tmp_path / ".frozenseg/run.json").write_text("[]", encoding="utf-8")
    with pytest.raises(ConfigError, match="run.json cannot be read"):
        RunFolder(tmp_path).open(SETTINGS)


def test_long_names_have_short_records(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    names = ["sub/" + "ü" * 120 + ending for ending in ("a.jpg", "b.jpg")]
    for name in names:
        folder.save(name, "1", {"value": name})
    assert [folder.record(name, "1")["value"] for name in names] == names


def test_a_run_that_is_done_again_deletes_the_files_of_the_earlier_one(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)

    def write(image: SourceImage, _: Any) -> dict[str, Any]:
        write_text(tmp_path / "masks" / f"{image.stem}.txt", image.name)
        return {}

    def run(images: list[PendingImage]) -> None:
        list(ImageRun(folder, lambda batch: batch, write)(images))

    folder.open(SETTINGS)
    run(IMAGES[:3])
    folder.save_results([write_and_return(tmp_path / "val/panoptic.json")])
    write_text(tmp_path / "masks/notes.txt", "of the user")
    RunFolder(tmp_path).open({"vocabulary": ["cow"]}, overwrite=True)
    assert files_below(tmp_path) == ["masks/notes.txt"]
    assert not (tmp_path / "val").exists()
    assert not (tmp_path / "masks/sub").exists()
    run(IMAGES[1:2])
    assert files_below(tmp_path) == ["masks/notes.txt", "masks/sub/1.txt"]


@pytest.mark.parametrize("names", [["../kept.txt"], ["/kept.txt"], "kept.txt", [7]])
def test_a_changed_record_deletes_nothing_outside(tmp_path: Path, names: Any) -> None:
    write_text(tmp_path / "kept.txt", "")
    folder = RunFolder(tmp_path / "out")
    folder.open(SETTINGS)
    folder.save("a.png", "1", {}, [])
    [record] = (tmp_path / "out/.frozenseg/records").iterdir()
    record.write_text(json.dumps({"files": names}), encoding="utf-8")
    folder.open(SETTINGS, overwrite=True)
    assert (tmp_path / "kept.txt").exists()


@pytest.mark.parametrize("skip_bad", [False, True])
def test_an_image_that_is_too_large_is_skipped_or_refused_before_it_is_segmented(
    tmp_path: Path, skip_bad: bool
) -> None:
    def check(image: Image.Image) -> None:
        if image.width == 3:
            raise DataError("The outputs need about 90 GiB: cut the image into tiles.")

    drill = Drill(tmp_path)
    drill.folder.open(SETTINGS)
    run = ImageRun(drill.folder, drill.segment, drill.write, 2, skip_bad=skip_bad, check=check)
    if skip_bad:
        *_, report = run(IMAGES[:4])
        assert drill.batches == [[0, 1], [3]]
        assert report.skipped == {"sub/2.png": "sub/2.png: The outputs need about 90 GiB: cut the image into tiles."}
        return
    with pytest.raises(DataError, match="sub/2.png: The outputs need about 90 GiB.*tiles; or leave .* with --skip-bad"):
        list(run(IMAGES[:4]))
    assert drill.batches == [[0, 1]]


def write_and_return(path: Path) -> Path:
    write_text(path, "")
    return path


def files_below(folder: Path) -> list[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and ".frozenseg" not in path.parts)
    return sorted(path.relative_to(folder).as_posix() for path in paths)
