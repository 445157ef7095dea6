"""A look at every picture of a data set: is it whole, does its annotation fit, which classes does it show?"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from frozenseg.data.class_maps import UNLABELLED, Rules, class_map, of_labels
from frozenseg.data.images import read_image
from frozenseg.data.metadata import Metadata, Record
from frozenseg.errors import DataError
from frozenseg.log import progress
from frozenseg.parallel import run_tasks

PERCENT = 100
SHOWN = 10  # names in a line


class Finding(NamedTuple):
    """What one picture shows.

    Attributes:
        problem: what is wrong with it; empty for nothing.
        pixels: class → pixels.
        unlabelled: pixels of which nothing is said.
    """

    problem: str = ""
    pixels: dict[int, int] = {}  # noqa: RUF012 (never changed)
    unlabelled: int = 0


@dataclass
class Survey:
    """What a data set shows.

    Attributes:
        metadata: of the data set.
        images: pictures that were looked at.
        total: pictures that there are.
        pixels: (C,) int64, by class.
        unlabelled: pixels of which nothing is said.
        without_objects: pictures whose annotation has no segment or object but crowds.
        problems: what is wrong.
    """

    metadata: Metadata
    images: int
    total: int
    pixels: np.ndarray
    unlabelled: int = 0
    without_objects: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether every picture was looked at."""
        return self.images == self.total

    @property
    def complete(self) -> bool:
        """Whether there are as many pictures as is known; so where nobody knows."""
        return self.total in (self.metadata.known_images or (self.total,))

    def verdict(self) -> str:
        """Return what was found in a few lines, beside what is known of the data set."""
        classes, occurring = len(self.pixels), int((self.pixels > 0).sum())
        looked = "" if self.whole else f", {self.images} of them looked at"
        share = PERCENT * self.unlabelled / max(1, self.unlabelled + int(self.pixels.sum()))
        lines = [
            f"{self.metadata.name}: {self.total} images{self._known()}{looked}; {occurring} of {classes} classes; "
            f"{share:.1f} % of the pixels unlabelled; {len(self.problems)} problems."
        ]
        if self.whole and occurring < (self.metadata.known_occurring or classes):
            names = [self.metadata.vocabulary.names[index] for index in np.flatnonzero(self.pixels == 0)]
            lines.append(f"  never shown: {_some(names)}")
        if self.without_objects:
            lines.append(f"  without a segment or object, or with crowds alone: {self.without_objects} images")
        lines += [f"  problem: {problem}" for problem in self.problems[:SHOWN]]
        if len(self.problems) > SHOWN:
            lines.append(f"  … and {len(self.problems) - SHOWN} more.")
        return "\n".join(lines)

    def _known(self) -> str:
        known = self.metadata.known_images
        if not known:
            return ""
        return " (as there should be)" if self.complete else f" (there should be {' or '.join(map(str, known))})"


def survey(
    records: Sequence[Record], metadata: Metadata, workers: int = 1, sample: int = 0, quiet: bool = False
) -> Survey:
    """Look at a data set.

    Args:
        records: of the data set.
        metadata: of the data set.
        workers: processes.
        sample: pictures to look at, spread over the whole; 0: all.
        quiet: no progress bar.

    Raises:
        DataError: there is no record.
    """
    if not records:
        raise DataError(f"{metadata.name} has no images; {metadata.prepare_command}.")
    chosen = spread(records, sample) if sample else records
    rules = Rules.of(metadata)
    found = Survey(metadata, len(chosen), len(records), np.zeros(rules.classes, dtype=np.int64))
    found.without_objects = sum(_without_objects(record) for record in chosen)
    problems: dict[int, str] = {}
    findings = run_tasks(examine, [(record, rules) for record in chosen], workers)
    for place, finding in progress(findings, f"looking at {metadata.name}", len(chosen), quiet):
        if finding.problem:
            problems[place] = finding.problem
        for label, count in finding.pixels.items():
            found.pixels[label] += count
        found.unlabelled += finding.unlabelled
    found.problems = [problems[place] for place in sorted(problems)]
    return found


def examine(record: Record, rules: Rules) -> Finding:
    """Look at one picture and its annotations."""
    try:
        image = read_image(record["file_name"])
        size = (image.height, image.width)
        stated = (record.get("height", size[0]), record.get("width", size[1]))
        if stated != size:
            raise DataError(
                f"{record['file_name']} is {size[1]}×{size[0]} pixels, its annotation says {stated[1]}×{stated[0]}: "
                "image and annotation do not belong together."
            )
        classes = class_map(record, rules, size)
        if "sem_seg_file_name" in record and "pan_seg_file_name" in record:
            of_labels(record, rules, size)
    except DataError as error:
        return Finding(problem=str(error))
    unlabelled, *counts = np.bincount((classes - UNLABELLED).ravel(), minlength=rules.classes + 1).tolist()
    return Finding(unlabelled=unlabelled, pixels={label: count for label, count in enumerate(counts) if count})


def spread(records: Sequence[Record], count: int) -> list[Record]:
    """Return so many records, from the first to the last at even distances."""
    places = np.linspace(0, len(records) - 1, min(count, len(records))).round().astype(int)
    return [records[place] for place in places]


def _without_objects(record: Record) -> bool:
    items = record.get("segments_info", record.get("annotations"))
    return items is not None and all(item["iscrowd"] for item in items)


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
