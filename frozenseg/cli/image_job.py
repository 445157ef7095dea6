"""Job of the verbs that segment images: their inputs and output folder, and a resumable run with a progress bar."""

import argparse
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from PIL import Image

from frozenseg.atomic import recorded_writes
from frozenseg.cli.run_report import SKIPPED_FILE, RunFiles, write_skipped
from frozenseg.errors import ConfigError, DataError
from frozenseg.inference.auto_vocabulary import AutoVocabulary
from frozenseg.inference.formats.output_format import OutputClasses
from frozenseg.inference.image_inputs import load_image
from frozenseg.inference.image_run import ImageRun, RunReport
from frozenseg.inference.run_folder import ImageRecord, RunFolder
from frozenseg.inference.run_outputs import sum_of_counts
from frozenseg.inference.sources.image_list import InputImages, image_list
from frozenseg.inference.sources.sample_scenes import sample_scenes
from frozenseg.inference.sources.source_image import PendingImage
from frozenseg.inference.sources.url import UrlLimits
from frozenseg.inference.sources.video import FrameRange, Video
from frozenseg.log import get_logger, progress_bar
from frozenseg.output_paths import require_folder

logger = get_logger(__name__)
CHECKED_IN_ADVANCE = 1000  # images whose headers are read before the model is built


class ClassesOfModel(Protocol):
    """A chosen model, of which the images depend on its classes alone."""

    @property
    def usual_classes(self) -> str:
        """Named vocabulary of a model that knows a small world only; empty for all others."""


class RunWriter(Protocol):
    """Writer of the files about all images of a run."""

    def finish(self, records: Callable[[], Iterable[ImageRecord]]) -> dict[str, list[Path]]:
        """Write the files; returns those to open, by format or purpose."""


def images_of(arguments: argparse.Namespace, model: ClassesOfModel, output: Path | None) -> InputImages:
    """Return the images of a command line; scenes of ToyWorld without any, if the model is ToyWorld's.

    Raises:
        DataError: an input does not exist, has no image, or would have the output in its folder.
    """
    frames = FrameRange(int(arguments.frame_step), arguments.start, arguments.end)
    if not arguments.inputs:
        if not model.usual_classes:
            raise DataError("No input: name an image, a folder, a pattern, a list, a URL or a video.")
        return sample_scenes()
    limits = UrlLimits(private=arguments.allow_private_urls)
    images = image_list(arguments.inputs, frames, limits)
    if model.usual_classes:
        logger.warning(
            "The model knows the classes of %s only; choose another one with --weights.", model.usual_classes
        )
    if output is not None:
        _refuse_overwriting(images, output)
    return images


def _refuse_overwriting(images: InputImages, output: Path) -> None:
    """Refuse an output folder with an input in it or below, which a file of the run might replace."""
    folder = Path(os.path.expanduser(output)).resolve()
    for part in images.parts:
        if part.path is not None and folder in part.path.resolve().parents:
            raise ConfigError(f"--output {output} has the input {part.path} in it: choose another folder.")


def output_folder(output: Path | None, default: str, settings: Mapping[str, Any], overwrite: bool) -> RunFolder:
    """Return the folder of a run, opened with its settings.

    Args:
        output: folder of the command line; None for the default one, or ``default_2`` and so on: the first that is free
            or has a run with these settings.
        default: folder without one in the command line.
        settings: of the run.
        overwrite: forget finished images.

    Raises:
        ConfigError: the folder cannot be written, or has a run with other settings.
    """
    path, number = output or Path(default), 1
    while output is None and path.exists() and not RunFolder(path).has(settings):
        number += 1
        path = Path(f"{default}_{number}")
    folder = RunFolder(require_folder(path, "--output"))
    folder.open(settings, overwrite)
    return folder


def run_with_progress(run: ImageRun, images: InputImages) -> RunReport:
    """Run over images with a progress bar: images per second and the remaining time."""
    if not run.skip_bad:
        refuse_damaged(images)
    report, total = RunReport(), len(images)
    with progress_bar("segmenting", total, "image") as bar:
        for report in run(images):
            bar.total = max(total - report.resumed - len(report.skipped), report.done)
            bar.update(report.done - bar.n)
    folder = run.folder.folder
    named_write_failure(lambda: write_skipped(folder / SKIPPED_FILE, report.skipped), folder)
    return report


def refuse_damaged(images: InputImages) -> None:
    """Check the headers of the first images and of all videos, before the model is built.

    Raises:
        DataError: a file is no image or video, or PyAV is missing.
    """
    for part in images.parts:
        if isinstance(part, Video):
            with _advice_to_skip():
                part.count()
    files = [part.path for part in images.parts if isinstance(part, PendingImage) and part.path is not None]
    for path in files[:CHECKED_IN_ADVANCE]:
        try:
            with Image.open(path):
                pass
        except Exception:  # noqa: BLE001 (decoders raise errors of any kind; decoding names the file)
            with _advice_to_skip():
                load_image(path)


@contextmanager
def _advice_to_skip() -> Iterator[None]:
    try:
        yield
    except DataError as error:
        raise DataError(f"{str(error).rstrip('.')}; or leave such images out with --skip-bad.") from error


def finish_run(run: ImageRun, report: RunReport, outputs: RunWriter, classes: OutputClasses) -> RunFiles:
    """Write the files about all images.

    Args:
        run: that has finished.
        report: of the run.
        outputs: writer of the run.
        classes: of the run.

    Raises:
        ConfigError: a file cannot be written.
    """
    folder = run.folder.folder
    segments = sum_of_counts(run.records(report))

    def write_all() -> dict[str, list[Path]]:
        with recorded_writes() as written:
            files = outputs.finish(lambda: run.records(report))
        run.folder.save_results(written)
        return files

    files: dict[str, list[Path]] = named_write_failure(write_all, folder)
    absent = [name for name in classes.vocabulary.names if name not in segments]
    return RunFiles(folder, files, segments, [] if isinstance(classes.vocabulary, AutoVocabulary) else absent)


def named_write_failure(work: Callable[[], Any], folder: Path) -> Any:
    """Return the result of writing files; a failure names their folder.

    Raises:
        ConfigError: the files cannot be written.
    """
    try:
        return work()
    except OSError as error:
        raise ConfigError(
            f"The results cannot be written to {folder} ({error.strerror or error}): free some space, then repeat the "
            "command; finished images are kept."
        ) from error
