"""Table of the scored classes: names, things and stuff, and the subsets that are reported separately.

Letters: C classes.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frozenseg.errors import DataError
from frozenseg.evaluation.types import DatasetMetadata

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
            metadata: anything with ``stuff_classes`` (all classes, comma-separated synonyms),
                ``thing_dataset_id_to_contiguous_id`` and, where there are subsets, ``category_groups``.
            seen: one flag per class, True if the class was seen in training.

        Raises:
            DataError: the numbers of flags and classes differ.
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


def _distinct(names: list[str]) -> tuple[str, ...]:
    """Append the index to names that several classes have."""
    count = Counter(names)
    return tuple(name if count[name] == 1 else f"{name} ({index})" for index, name in enumerate(names))


def _name_of(metadata: DatasetMetadata) -> str:
    return getattr(metadata, "name", "the data set")
