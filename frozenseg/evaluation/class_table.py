"""The classes that are scored: their names in reports, things and stuff, and the subsets reported on their own.

Letters: C classes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frozenseg.errors import DataError

PERCENT = 100.0


@dataclass(frozen=True)
class ClassTable:
    """Classes in contiguous order.

    Attributes:
        names: one a class, all different.
        isthing: (C,) bool.
        subsets: (C,) bool by name: ``S`` seen in training, ``U`` unseen, then the data set's own groups.
    """

    names: tuple[str, ...]
    isthing: np.ndarray
    subsets: dict[str, np.ndarray]

    @classmethod
    def from_metadata(cls, metadata: Any, seen: Sequence[bool]) -> "ClassTable":
        """Build from a data set's metadata.

        Args:
            metadata: anything with ``stuff_classes`` (all classes, comma-separated synonyms),
                ``thing_dataset_id_to_contiguous_id`` and, where there are subsets, ``category_groups``.
            seen: one flag a class: whether training has shown it.

        Raises:
            DataError: there are not as many flags as classes.
        """
        strings = metadata.stuff_classes
        if len(seen) != len(strings):
            raise DataError(
                f"{len(seen)} seen/unseen flags for the {len(strings)} classes of {_name_of(metadata)}: give one each."
            )
        things = np.zeros(len(strings), dtype=bool)
        things[list((getattr(metadata, "thing_dataset_id_to_contiguous_id", None) or {}).values())] = True
        flags = np.array(seen, dtype=bool)
        subsets = {"S": flags, "U": ~flags}
        for group, members in (getattr(metadata, "category_groups", None) or {}).items():
            subsets[group] = np.isin(np.arange(len(strings)), members)
        return cls(_distinct([text.split(",")[0].strip() for text in strings]), things, subsets)

    def subset_means(self, metric: str, values: np.ndarray) -> dict[str, float]:
        """Return ``{"S_<metric>": mean over the seen classes, …}`` in percent.

        Args:
            metric: name of what is averaged, such as ``PQ``.
            values: (C,) float64 fractions, NaN for classes that have none.
        """
        return {
            f"{subset}_{metric}": PERCENT * mean_of_known(values[members]) for subset, members in self.subsets.items()
        }

    def by_name(self, values: np.ndarray) -> dict[str, float]:
        """Return (C,) fractions as percent by class name, without the classes that have none (NaN)."""
        return {
            name: PERCENT * float(value) for name, value in zip(self.names, values, strict=True) if not np.isnan(value)
        }

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)


def mean_of_known(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Tell classes of one name apart by their number."""
    count = Counter(names)
    return tuple(name if count[name] == 1 else f"{name} ({index})" for index, name in enumerate(names))


def _name_of(metadata: Any) -> str:
    return getattr(metadata, "name", "the data set")
