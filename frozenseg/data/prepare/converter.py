"""What must be said to prepare a download: a :class:`Converter`, its steps and their jobs.

Each file of this folder that has a ``CONVERTER`` is found by its name.
"""

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from frozenseg.data import prepare
from frozenseg.errors import DataError, did_you_mean

FOLDER = ".prepare"  # under the data sets' folder, for what is to be remembered of a run
Result = Any  # of one job: what JSON can say


class Job(NamedTuple):
    """The work on one picture.

    Attributes:
        name: what it is called in messages and in the journal, unique in its step.
        arguments: of the step's ``work``; they travel to another process.
        outputs: the files it writes, each whole or not at all.
    """

    name: str
    arguments: tuple[Any, ...]
    outputs: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Step:
    """Many jobs of one kind, done in any order by several processes.

    Attributes:
        title: for the progress bar, such as ``panoptic val``.
        jobs: what there is to do, in the order in which ``finish`` gets the results.
        work: does one job; a function of a module. It raises DataError for a picture that is not as it should be.
        finish: makes what needs all results, such as one JSON file of a split.
        outputs: the files that ``finish`` writes.
        setting: what the files depend on beside the raw ones, such as a version; with another one all is made anew.
    """

    title: str
    jobs: Sequence[Job]
    work: Callable[..., Result]
    finish: Callable[[list[Result]], None] | None = None
    outputs: tuple[Path, ...] = ()
    setting: str = "1"


@dataclass(frozen=True)
class Converter:
    """How one download becomes what the data sets read.

    Attributes:
        name: on the command line.
        title: the data set's own name.
        source: where to get the raw files, and what for; full sentences.
        needs: paths under the data sets' folder without which nothing can be done, each with what to get for it.
        steps: data sets' folder → functions that make what is to be done, in order; each is called when those before it
            are complete, so that it may list their files.
        datasets: the data sets that it makes ready; they are looked at in the end.
    """

    name: str
    title: str
    source: str
    needs: dict[str, str] = field(default_factory=dict)
    steps: Callable[[Path], Sequence[Callable[[], Step]]] = lambda _: ()
    datasets: tuple[str, ...] = ()

    def check(self, root: Path) -> None:
        """Refuse to begin where raw files are missing.

        Raises:
            DataError: names all that is missing and where to get it.
        """
        if missing := [f"{root / path} ({what})" for path, what in self.needs.items() if not (root / path).exists()]:
            raise DataError(f"{self.title}: missing {'; '.join(missing)}. {self.source}")


def converters() -> dict[str, Converter]:
    """Return all converters by name."""
    prefix = f"{prepare.__name__}."
    modules = (importlib.import_module(info.name) for info in pkgutil.iter_modules(prepare.__path__, prefix))
    found = [module.CONVERTER for module in modules if hasattr(module, "CONVERTER")]
    return {converter.name: converter for converter in sorted(found, key=lambda converter: converter.name)}


def converter_named(name: str) -> Converter:
    """Return one converter.

    Raises:
        DataError: there is none of that name; the message has the nearest and all.
    """
    known = converters()
    if name not in known:
        raise DataError(f"Nothing is called {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}.")
    return known[name]
