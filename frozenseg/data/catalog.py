"""Catalogs of data sets and of their metadata, by name (Detectron2's ``DatasetCatalog`` and ``MetadataCatalog``).

Both catalogs are filled from ``frozenseg/data/datasets/*.py`` when first used; importing registers nothing. They also
accept names that describe the files of a data set, such as ``folder:IMAGES?labels=LABELS&classes=FILE`` (see
``custom_dataset.py``). Paths are under the folder of the environment variable ``DETECTRON2_DATASETS``, read at each
call.
"""

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any, Generic, TypeVar

from frozenseg.data import datasets
from frozenseg.data.custom_dataset import custom_spec
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.metadata import Metadata, datasets_root
from frozenseg.data.spec import DatasetSpec
from frozenseg.errors import DataError, did_you_mean
from frozenseg.structures.record import Record
from frozenseg.vocabulary import Vocabulary

_T = TypeVar("_T")


class _Catalog(ABC, Generic[_T]):
    """Registry of functions that return an entry, by name."""

    def __init__(self) -> None:
        self._entries: dict[str, Callable[[], _T]] = {}

    def register(self, name: str, make: Callable[[], _T]) -> None:
        """Add an entry.

        Args:
            name: the name in configs.
            make: returns the entry; called when the entry is requested.

        Raises:
            DataError: the name is registered already.
        """
        if name in self._entries:
            raise DataError(f"The data set {name!r} is registered already: choose another name or remove it first.")
        self._entries[name] = make

    def remove(self, name: str) -> None:
        """Remove the entry with a name, if there is one."""
        self._entries.pop(name, None)

    def list(self) -> list[str]:
        """Return all names, sorted."""
        _fill_catalogs()
        return sorted(self._entries)

    def _look_up(self, name: str) -> Callable[[], _T]:
        known = self.list()
        if name in known:
            return self._entries[name]
        if ":" in name:
            return self._parse(name)
        raise DataError(f"Unknown data set {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}.")

    @abstractmethod
    def _parse(self, name: str) -> Callable[[], _T]:
        """Return the function for a name that describes the files of a data set."""


class _DatasetCatalog(_Catalog[list[Record]]):
    """Functions that return the records of a data set, by its name."""

    def get(self, name: str) -> list[Record]:
        """Read the records of a data set.

        Raises:
            DataError: there is no such data set (the message has the nearest name and all), or its files are missing.
        """
        return self._look_up(name)()

    def _parse(self, name: str) -> Callable[[], list[Record]]:
        load = custom_spec(name).load
        return lambda: load(MetadataCatalog.get(name))


class _MetadataCatalog(_Catalog[dict[str, Any]]):
    """Functions that return the metadata of a data set as a dictionary, by its name."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[tuple[str, Path], Metadata] = {}

    def get(self, name: str) -> Metadata:
        """Return the metadata of a data set, the same object each time; its files need not exist.

        Raises:
            DataError: there is no such data set (the message has the nearest name and all).
        """
        key = (name, datasets_root())
        if key not in self._made:
            if name not in self.list() and name in DatasetCatalog.list():
                # only its records are registered: as in Detectron2, the caller sets the metadata
                self.register(name, dict)
            self._made[key] = Metadata(**{"name": name, **self._look_up(name)()})
        return self._made[key]

    def remove(self, name: str) -> None:
        """Remove the entry with a name, if there is one."""
        super().remove(name)
        self._made = {key: metadata for key, metadata in self._made.items() if key[0] != name}

    def _parse(self, name: str) -> Callable[[], dict[str, Any]]:
        return custom_spec(name).metadata_fields


DatasetCatalog = _DatasetCatalog()
MetadataCatalog = _MetadataCatalog()
_filled: list[bool] = []


def resolve(name: str) -> ResolvedDataset:
    """Return a data set by its name, without reading its files.

    Raises:
        DataError: there is no such data set.
    """
    metadata = MetadataCatalog.get(name)
    return ResolvedDataset(name, metadata, metadata.vocabulary, lambda: DatasetCatalog.get(name))


def vocabulary_of(name: str) -> Vocabulary:
    """Return the class names of a data set in contiguous order, with their synonyms.

    Raises:
        DataError: there is no such data set.
    """
    return MetadataCatalog.get(name).vocabulary


def register_dataset(spec: DatasetSpec) -> None:
    """Add a data set to both catalogs.

    Raises:
        DataError: the name is registered already.
    """
    DatasetCatalog.register(spec.name, lambda: spec.load(MetadataCatalog.get(spec.name)))
    MetadataCatalog.register(spec.name, spec.metadata_fields)


def _fill_catalogs() -> None:
    if _filled:
        return
    prefix = f"{datasets.__name__}."
    specs = [
        spec
        for module in pkgutil.iter_modules(datasets.__path__, prefix)
        for spec in importlib.import_module(module.name).SPECS
    ]
    _filled.append(True)  # set last, so that an error above is raised again at the next use
    for spec in specs:
        register_dataset(spec)
