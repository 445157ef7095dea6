"""Goldens on disk: recorded cases of the reference, with one JSON and one NPZ file each."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frozenseg.errors import DataError, did_you_mean

Array = NDArray[Any]
COMPONENTS, TRAINING, SEGMENTATION = "components", "training", "segmentation"


class Arrays(dict[str, Array]):
    """Arrays by name, with a record of the ones that were read."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        super().__init__(arrays)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Array:
        """Return an array and record that it was read."""
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an array and record that it was read; the default if there is none."""
        self.read.add(name)
        return super().get(name, default)

    def unused(self) -> list[str]:
        """Return the names of the arrays that were not read."""
        return sorted(self.keys() - self.read)


@dataclass(frozen=True)
class Golden:
    """One recorded case.

    Attributes:
        name: name of its files without the extension.
        metadata: content of the JSON file.
        arrays: content of the NPZ file.
    """

    name: str
    metadata: Mapping[str, Any]
    arrays: Arrays

    @property
    def kind(self) -> str:
        """``components``, ``training`` or ``segmentation``."""
        if "components" in self.metadata:
            return COMPONENTS
        return TRAINING if "losses" in self.metadata else SEGMENTATION

    def floor(self, *keys: str) -> float:
        """Return a noise floor, or 0 if it was not measured.

        Args:
            *keys: its keys in ``noise_floor``.
        """
        value: Any = self.metadata.get("noise_floor", {})
        for key in keys:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return float(value) if isinstance(value, (int, float)) else 0.0


def find_goldens(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the JSON files of the cases in a folder, sorted by name.

    Args:
        folder: of the goldens.
        names: of the requested cases; empty for all.

    Raises:
        DataError: There is no such folder or case.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    if not files:
        raise DataError(f"There are no goldens in {folder}: a golden is a file NAME.json with a file NAME.npz.")
    for name in names:
        if name not in files:
            raise DataError(f"Unknown case {name!r}.{did_you_mean(name, files)} Cases in {folder}: {', '.join(files)}.")
    return [path for name, path in files.items() if not names or name in names]


def read_golden(path: Path) -> Golden:
    """Read a golden.

    Args:
        path: its JSON file.

    Raises:
        DataError: A file is missing or damaged.
    """
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
        with path.with_suffix(".npz").open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return Golden(path.stem, metadata, Arrays({name: file[name] for name in file.files}))
    except (OSError, zipfile.BadZipFile, ValueError, EOFError) as error:
        raise DataError(f"The golden {path} or its .npz cannot be read ({error}): copy both files again.") from error


def statistics(values: Array) -> Array:
    """Return mean, standard deviation, sum of magnitudes, minimum and maximum, (5,) float64."""
    values = values.astype(np.float64)
    return np.array([values.mean(), values.std(), np.abs(values).sum(), values.min(), values.max()])
