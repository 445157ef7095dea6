"""Measurements of the verb label: ratio of throughputs, memory, and runs that are killed."""

import argparse
import contextlib
import io
import itertools
import os
import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from PIL import Image

from frozenseg.cli.main import main
from frozenseg.cli.model_choice import ModelChoice
from frozenseg.errors import FrozenSegError
from frozenseg.inference.image_run import ImageRun
from frozenseg.toyworld.export import Recipe, make_scene
from lab.labelling import MEASUREMENT_NAMES
from lab.labelling.killed_runs import data_files, finished, kill_after
from lab.labelling.mixed_images import write_mixed_images

TENTHS = 10
KILLED_AT = (0.3, 0.6)  # shares of the images


def write_scenes(folder: Path, count: int, size: int) -> None:
    """Write rendered scenes as JPEG files."""
    folder.mkdir(parents=True, exist_ok=True)
    recipe = Recipe("val_seen", 0, count, size, size)
    for number in range(1, count + 1):
        Image.fromarray(make_scene(recipe, number).image).save(folder / f"{number:05d}.jpg")


def command(images: Path, output: Path, size: int, batch: int, workers: int = 2) -> list[str]:
    """Return the arguments of a run after ``frozenseg``."""
    flags = ["--device", "cpu", "--skip-bad", "--batch", str(batch), "--workers", str(workers)]
    keys = ["--set", "INPUT.MIN_SIZE_TEST", str(size), "--weights", "toyworld", "--config", "toyworld/frozenseg_tiny"]
    return ["label", str(images), "--output", str(output), *flags, *keys]


def quietly(arguments: list[str]) -> None:
    """Run the command in this process without its output.

    Raises:
        FrozenSegError: it fails.
    """
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = main(arguments)
    if code:
        raise FrozenSegError(f"`frozenseg {' '.join(arguments)}` has exit code {code}: {errors.getvalue()[-500:]}")


def throughput(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the ratio of images per second: batches with background loading against one image at a time without."""
    images, size = int(arguments.images), int(arguments.size)
    write_scenes(folder / "images", images, size)
    with built_once():
        settings = {"batches": (int(arguments.batch), 2), "single": (1, 0)}
        seconds: dict[str, list[float]] = {name: [] for name in settings}
        quietly(command(folder / "images", folder / "warm", size, 1))
        for pair in range(int(arguments.pairs)):
            for name in settings if pair % 2 else reversed(settings):
                output = folder / "labelled"
                start = time.perf_counter()
                quietly(command(folder / "images", output, size, *settings[name]))
                seconds[name].append(time.perf_counter() - start)
                shutil.rmtree(output)
    ratios = [single / batches for single, batches in zip(seconds["single"], seconds["batches"], strict=True)]
    return {
        "images": images,
        "batch": int(arguments.batch),
        "images_per_second": {name: images / statistics.median(times) for name, times in seconds.items()},
        "ratio": statistics.median(ratios),
        "ratios": ratios,
    }


def memory(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the resident memory in MiB after each tenth of a run."""
    images, size = int(arguments.images), int(arguments.size)
    write_scenes(folder / "images", images, size)
    resident: dict[int, float] = {}
    write = ImageRun._write

    numbers = itertools.count(1)

    def watched(run: ImageRun, image: Any, result: Any, version: str) -> None:
        write(run, image, result, version)
        done = next(numbers)
        if done % (images // TENTHS) == 0:
            resident[done] = resident_memory()

    with replaced(ImageRun, "_write", watched):
        quietly(command(folder / "images", folder / "labelled", size, int(arguments.batch)))
    return {"images": images, "resident_mib": dict(sorted(resident.items()))}  # files are written side by side


def kills(folder: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the number of files of a data set whose bytes differ after two kills."""
    images, size = int(arguments.images), int(arguments.size)
    broken = write_mixed_images(folder / "images", images)
    outputs = {name: folder / name for name in ("whole", "killed")}
    lines = {name: command(folder / "images", output, size, int(arguments.batch)) for name, output in outputs.items()}
    quietly(lines["whole"])
    killed = [kill_after(lines["killed"], outputs["killed"], int(share * images)) for share in KILLED_AT]
    quietly(lines["killed"])
    files = {name: data_files(output) for name, output in outputs.items()}
    names = files["whole"].keys() | files["killed"].keys()
    different = [name for name in names if files["whole"].get(name) != files["killed"].get(name)]
    return {
        "images": images,
        "broken": broken,
        "killed_at": killed,
        "finished": finished(outputs["killed"]),
        "files": len(names),
        "different_files": len(different),
    }


def resident_memory() -> float:
    """Return the resident memory of this process in MiB.

    Raises:
        FrozenSegError: the system does not report it in /proc.
    """
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except OSError as error:
        raise FrozenSegError("The memory is measured on Linux only, where /proc/self/statm exists.") from error
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1)


@contextlib.contextmanager
def built_once() -> Iterator[None]:
    """Share one model among the runs of a block."""
    build = ModelChoice.build
    built: dict[ModelChoice, Any] = {}

    def shared(choice: ModelChoice) -> Any:
        if choice not in built:
            built[choice] = build(choice)
        return built[choice]

    with replaced(ModelChoice, "build", shared):
        yield


@contextlib.contextmanager
def replaced(owner: type, name: str, value: Callable[..., Any]) -> Iterator[None]:
    """Replace a method inside a block."""
    original = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, original)


MEASUREMENTS = dict(zip(MEASUREMENT_NAMES, (throughput, memory, kills), strict=True))
