"""Goldens on disk: cases that the reference has computed, one JSON and one NPZ file each."""

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
    """Arrays by name, which remember the ones that were looked at."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        super().__init__(arrays)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Array:
        """Return an array, and remember it."""
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return an array, and remember it; the default where there is none."""
        self.read.add(name)
        return super().get(name, default)

    def unread(self) -> list[str]:
        """Return the names of those that nothing was compared with."""
        return sorted(self.keys() - self.read)


@dataclass(frozen=True)
class Golden:
    """One case.

    Attributes:
        name: of its files.
        about: what the JSON file says.
        arrays: by name.
    """

    name: str
    about: Mapping[str, Any]
    arrays: Arrays

    @property
    def kind(self) -> str:
        """``components``, ``training`` or ``segmentation``."""
        if "components" in self.about:
            return COMPONENTS
        return TRAINING if "losses" in self.about else SEGMENTATION

    def floor(self, *keys: str) -> float:
        """Return how far two runs of the reference were apart, 0 where that was not measured.

        Args:
            *keys: where it stands in ``noise_floor``.
        """
        value: Any = self.about.get("noise_floor", {})
        for key in keys:
            value = value.get(key, {}) if isinstance(value, Mapping) else {}
        return float(value) if isinstance(value, (int, float)) else 0.0


def find_goldens(folder: Path, names: Sequence[str] = ()) -> list[Path]:
    """Return the JSON files of the cases in a folder, sorted by name.

    Args:
        folder: of the goldens.
        names: the wanted ones; empty for all.

    Raises:
        DataError: no such folder or case.
    """
    files = {path.stem: path for path in sorted(folder.glob("*.json"))}
    if not files:
        raise DataError(f"There are no goldens in {folder}: a case is a NAME.json beside a NAME.npz.")
    for name in names:
        if name not in files:
            raise DataError(f"{folder} has no case {name!r}.{did_you_mean(name, files)} Cases: {', '.join(files)}.")
    return [path for name, path in files.items() if not names or name in names]


def read_golden(path: Path) -> Golden:
    """Read a case.

    Args:
        path: its JSON file.

    Raises:
        DataError: damaged.
    """
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
        with path.with_suffix(".npz").open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            return Golden(path.stem, about, Arrays({name: file[name] for name in file.files}))
    except (OSError, zipfile.BadZipFile, ValueError, EOFError) as error:
        raise DataError(f"The golden {path} or its .npz cannot be read ({error}): copy both files again.") from error


def statistics(values: Array) -> Array:
    """Return mean, standard deviation, sum of magnitudes, least and greatest value, (5,) float64."""
    values = values.astype(np.float64)
    return np.array([values.mean(), values.std(), np.abs(values).sum(), values.min(), values.max()])
