"""Data sets and what is known of them, by name (Detectron2's ``DatasetCatalog`` and ``MetadataCatalog``).

Both catalogs fill themselves from ``frozenseg/data/datasets/*.py`` when first asked; importing registers nothing.
They also understand names that say what a data set is made of, such as ``folder:IMAGES?labels=LABELS&classes=FILE``
(see ``custom_dataset.py``).
Folders are found under the environment variable ``DETECTRON2_DATASETS``, read at each call.
"""

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frozenseg.data import custom_dataset, datasets
from frozenseg.data.dataset import ResolvedDataset
from frozenseg.data.metadata import Metadata, Record, datasets_root
from frozenseg.data.spec import DatasetSpec
from frozenseg.errors import DataError, did_you_mean
from frozenseg.vocabulary import Vocabulary


class _Catalog:
    """Names and the functions that make what they stand for."""

    def __init__(self) -> None:
        self._entries: dict[str, Callable[[], Any]] = {}

    def register(self, name: str, make: Callable[[], Any]) -> None:
        """Add an entry.

        Args:
            name: what it is called in configs.
            make: returns it; called when it is needed.

        Raises:
            DataError: the name is taken.
        """
        if name in self._entries:
            raise DataError(f"The data set {name!r} is registered already: choose another name or remove it first.")
        self._entries[name] = make

    def remove(self, name: str) -> None:
        """Forget an entry; nothing happens where there is none."""
        self._entries.pop(name, None)

    def list(self) -> list[str]:
        """Return all names, sorted."""
        _fill_catalogs()
        return sorted(self._entries)

    def _look_up(self, name: str) -> Callable[[], Any]:
        known = self.list()
        if name in known:
            return self._entries[name]
        if ":" in name:
            return self._read_name(name)
        raise DataError(f"Unknown data set {name!r}.{did_you_mean(name, known)} Known: {', '.join(known)}.")

    def _read_name(self, name: str) -> Callable[[], Any]:
        raise NotImplementedError


class _DatasetCatalog(_Catalog):
    """Data sets by name: functions that return their records."""

    def get(self, name: str) -> list[Record]:
        """Read the records of a data set.

        Raises:
            DataError: no such data set (the message names the nearest and all), or its files are missing.
        """
        return self._look_up(name)()

    def _read_name(self, name: str) -> Callable[[], Any]:
        load = custom_dataset.spec_of(name).load
        return lambda: load(MetadataCatalog.get(name))


class _MetadataCatalog(_Catalog):
    """Metadata by name: functions that return the attributes as a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self._made: dict[tuple[str, Path], Metadata] = {}

    def get(self, name: str) -> Metadata:
        """Return the metadata of a data set, the same object each time; no file is needed for it.

        Raises:
            DataError: no such data set (the message names the nearest and all).
        """
        key = (name, datasets_root())
        if key not in self._made:
            if name not in self.list() and name in DatasetCatalog.list():
                self.register(name, dict)  # records registered on their own: the caller sets the rest
            self._made[key] = Metadata(**{"name": name, **self._look_up(name)()})
        return self._made[key]

    def _read_name(self, name: str) -> Callable[[], Any]:
        fields: Callable[[], Any] = custom_dataset.spec_of(name).metadata_fields
        return fields

    def remove(self, name: str) -> None:
        """Forget an entry; nothing happens where there is none."""
        super().remove(name)
        self._made = {key: metadata for key, metadata in self._made.items() if key[0] != name}


DatasetCatalog = _DatasetCatalog()
MetadataCatalog = _MetadataCatalog()
_filled: list[bool] = []


def resolve(name: str) -> ResolvedDataset:
    """Look a data set up by name.

    Raises:
        DataError: no such data set.
    """
    metadata = MetadataCatalog.get(name)
    return ResolvedDataset(name, metadata, metadata.vocabulary, lambda: DatasetCatalog.get(name))


def vocabulary_of(name: str) -> Vocabulary:
    """Return the class names of a data set in contiguous order, with their synonyms.

    Raises:
        DataError: no such data set.
    """
    return MetadataCatalog.get(name).vocabulary


def register(spec: DatasetSpec) -> None:
    """Add a data set to both catalogs.

    Raises:
        DataError: the name is taken.
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
    _filled.append(True)
    for spec in specs:
        register(spec)
