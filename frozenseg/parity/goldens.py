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
    arrays: Mapping[str, Array]

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
    files = {path.stem: path for path in sorted(folder.glob("*.json")) if path.with_suffix(".npz").is_file()}
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
            return Golden(path.stem, about, {name: file[name] for name in file.files})
    except (json.JSONDecodeError, zipfile.BadZipFile, ValueError, EOFError) as error:
        raise DataError(f"The golden {path} or its .npz cannot be read ({error}): copy both files again.") from error


def write_golden(path: Path, golden: Golden) -> None:
    """Write a case, each file whole or not at all.

    Args:
        path: of the JSON file; the NPZ file goes beside it.
        golden: what to write.
    """
    arrays, about = path.with_suffix(".tmp.npz"), path.with_suffix(".tmp")
    np.savez_compressed(arrays, **golden.arrays)
    about.write_text(json.dumps(golden.about, indent=1) + "\n", encoding="utf-8")
    arrays.replace(path.with_suffix(".npz"))
    about.replace(path)


def thinned(values: Array, limit: int) -> tuple[Array, int]:
    """Return every k-th element of the flattened array and k, the smallest odd step that keeps about ``limit``."""
    flat = values.reshape(-1)
    step = max(1, -(-flat.size // limit))
    step += 1 - step % 2
    return flat[::step], step


def statistics(values: Array) -> Array:
    """Return mean, standard deviation, sum of magnitudes, least and greatest value, (5,) float64."""
    values = values.astype(np.float64)
    return np.array([values.mean(), values.std(), np.abs(values).sum(), values.min(), values.max()])
