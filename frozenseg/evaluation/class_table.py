"""Table of the scored classes: names, things and stuff, and the subsets that are reported separately.

Letters: C classes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frozenseg.errors import DataError
from frozenseg.structures.dataset_metadata import DatasetMetadata

PERCENT = 100.0


@dataclass(frozen=True)
class ClassTable:
    """Classes of a data set in contiguous order.

    Attributes:
        names: one per class, all different.
        isthing: (C,) bool.
        subsets: (C,) bool by name: ``S`` seen in training, ``U`` unseen, then the class groups of the data set.
    """

    names: tuple[str, ...]
    isthing: np.ndarray
    subsets: dict[str, np.ndarray]

    @classmethod
    def from_metadata(cls, metadata: DatasetMetadata, seen: Sequence[bool]) -> "ClassTable":
        """Build from a data set's metadata.

        Args:
            metadata: its ``vocabulary`` and ``category_groups``.
            seen: one flag per class, True if the class was seen in training.

        Raises:
            DataError: the numbers of flags and classes differ.
        """
        vocabulary = metadata.vocabulary
        count = len(vocabulary)
        if len(seen) != count:
            raise DataError(f"{len(seen)} seen/unseen flags for the {count} classes of {metadata.name}: give one each.")
        flags = np.array(seen, dtype=bool)
        subsets = {"S": flags, "U": ~flags}
        for group, members in metadata.category_groups.items():
            subsets[group] = np.isin(np.arange(count), members)
        return cls(_distinct(vocabulary.names), np.array(vocabulary.isthing, dtype=bool), subsets)

    def subset_means(self, metric: str, values: np.ndarray) -> dict[str, float]:
        """Return ``{"S_<metric>": mean over the seen classes, …}`` in percent.

        Args:
            metric: name of the averaged metric, such as ``PQ``.
            values: (C,) float64 fractions, NaN for classes without a value.
        """
        return {
            f"{subset}_{metric}": PERCENT * mean_of_known(values[members]) for subset, members in self.subsets.items()
        }

    def by_name(self, values: np.ndarray) -> dict[str, float]:
        """Return (C,) fractions as percent by class name, leaving out NaN."""
        return {
            name: PERCENT * float(value) for name, value in zip(self.names, values, strict=True) if not np.isnan(value)
        }

    def __len__(self) -> int:
        """Return the number of classes."""
        return len(self.names)


def mean_of_known(values: np.ndarray) -> float:
    """Return the mean of the values that are not NaN; NaN if there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    """Append the index to names that several classes have."""
    count = Counter(names)
    return tuple(name if count[name] == 1 else f"{name} ({index})" for index, name in enumerate(names))
