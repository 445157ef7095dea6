"""Description of a conversion: :class:`Converter`, its steps and their jobs, and the look-up of converters by name.

A file of this folder with a ``CONVERTER`` is a converter.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.data import prepare
from frozenseg.errors import DataError, did_you_mean

STATE_FOLDER = ".prepare"  # state of conversions, in the data sets' folder
JobResult = Any  # serialisable as JSON


class Job(NamedTuple):
    """Conversion of one image.

    Attributes:
        name: in messages and in the job log; unique in its step.
        arguments: of the step's ``work``; they are pickled for another process.
        outputs: files that the job writes, each complete or not at all.
    """

    name: str
    arguments: tuple[Any, ...]
    outputs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class ConversionStep:
    """Jobs of one kind, run in any order by several processes.

    Attributes:
        title: for the progress bar, such as ``panoptic val``.
        jobs: in the order in which ``finish`` gets the results.
        work: runs one job; a module-level function. It raises DataError for an invalid image.
        finish: writes the files that need all results, such as the JSON file of a split.
        outputs: files that ``finish`` writes.
        setting: parameters of the outputs other than the raw files, such as a version; all jobs run again if it
            changes.
    """

    title: str
    jobs: Sequence[Job]
    work: Callable[..., JobResult]
    finish: Callable[[list[JobResult]], None] | None = None
    outputs: tuple[Path, ...] = ()
    setting: str = "1"


@dataclass(frozen=True)
class Converter:
    """Conversion of one download into the files of its data sets.

    Attributes:
        name: on the command line.
        title: official name of the data set.
        source: where to get the raw files and where to unpack them; full sentences.
        needs: required path under the data sets' folder → the download that contains it.
        steps: data sets' folder → functions that return the steps, in order; each is called after the steps before it
            are complete, so that it can list their files.
        datasets: names of the data sets that the conversion makes; they are checked afterwards.
    """

    name: str
    title: str
    source: str
    needs: dict[str, str] = field(default_factory=dict)
    steps: Callable[[Path], Sequence[Callable[[], ConversionStep]]] = lambda _: ()
    datasets: tuple[str, ...] = ()

    def check(self, root: Path) -> None:
        """Check that the raw files exist.

        Raises:
            DataError: files are missing; the message lists all of them and where to get them.
        """
        if missing := [f"{root / path} ({item})" for path, item in self.needs.items() if not (root / path).exists()]:
            raise DataError(f"{self.title}: missing {'; '.join(missing)}. {self.source}")


def converters() -> dict[str, Converter]:
    """Return all converters by name, sorted."""
    prefix = f"{prepare.__name__}."
    modules = [importlib.import_module(info.name) for info in pkgutil.iter_modules(prepare.__path__, prefix)]
    all_converters: list[Converter] = [module.CONVERTER for module in modules if hasattr(module, "CONVERTER")]
    return {converter.name: converter for converter in sorted(all_converters, key=lambda converter: converter.name)}


def get_converter(name: str) -> Converter:
    """Return the converter of that name.

    Raises:
        DataError: unknown name; the message has the nearest name and all names.
    """
    available = converters()
    if name not in available:
        raise DataError(
            f"Unknown converter {name!r}.{did_you_mean(name, available)} Available: {', '.join(available)}."
        )
    return available[name]
