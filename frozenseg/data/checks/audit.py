"""Audit of a data set: decodes every image and its annotations, compares them, and counts pixels by class.

Letters: C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from frozenseg.data.class_maps import NO_CLASS, AnnotationRules, read_class_map, read_label_classes
from frozenseg.data.metadata import Metadata
from frozenseg.data.record_images import read_record_image
from frozenseg.errors import DataError
from frozenseg.log import progress
from frozenseg.parallel import run_tasks
from frozenseg.structures.label_files import read_segment_runs
from frozenseg.structures.record import Record

MAX_LISTED = 10  # names in a line, and problems in a summary


class ImageAudit(NamedTuple):
    """Result of the check of one image.

    Attributes:
        problem: description of the error; empty if there is none.
        pixels: class index → number of pixels.
        unlabelled: number of unlabelled pixels.
    """

    problem: str = ""
    pixels: dict[int, int] = {}  # noqa: RUF012 (never changed)
    unlabelled: int = 0


@dataclass
class AuditReport:
    """Result of the check of a data set.

    Attributes:
        metadata: of the data set.
        images: number of images that were checked.
        total: number of images of the data set.
        pixels: (C,) int64, pixels of each class.
        unlabelled: number of unlabelled pixels.
        without_objects: number of images with no annotated segment or object except crowds.
        problems: descriptions of the errors, in the order of the images.
    """

    metadata: Metadata
    images: int
    total: int
    pixels: np.ndarray
    unlabelled: int = 0
    without_objects: int = 0
    problems: list[str] = field(default_factory=list)

    @property
    def checked_all(self) -> bool:
        """True if every image was checked."""
        return self.images == self.total

    @property
    def complete(self) -> bool:
        """True if the number of images is one of the expected numbers, or none is known."""
        return self.total in (self.metadata.known_images or (self.total,))

    def summary(self) -> str:
        """Return the result in a few lines, compared with the known numbers of the data set."""
        classes, occurring = len(self.pixels), int((self.pixels > 0).sum())
        checked = "" if self.checked_all else f", {self.images} of them checked"
        share = self.unlabelled / max(1, self.unlabelled + int(self.pixels.sum()))
        lines = [
            f"{self.metadata.name}: {self.total} images{self._expected_total()}{checked}; {occurring} of {classes} "
            f"classes; {100 * share:.1f} % of the pixels unlabelled; {len(self.problems)} problems."
        ]
        if self.checked_all and occurring < (self.metadata.known_occurring or classes):
            names = [self.metadata.vocabulary.names[index] for index in np.flatnonzero(self.pixels == 0)]
            lines.append(f"  classes that do not occur: {_abbreviated(names)}")
        if self.without_objects:
            lines.append(f"  images without a segment or object, or with crowds only: {self.without_objects}")
        lines += [f"  problem: {problem}" for problem in self.problems[:MAX_LISTED]]
        if len(self.problems) > MAX_LISTED:
            lines.append(f"  … and {len(self.problems) - MAX_LISTED} more.")
        return "\n".join(lines)

    def _expected_total(self) -> str:
        known = self.metadata.known_images
        if not known:
            return ""
        return " (as expected)" if self.complete else f" (expected {' or '.join(map(str, known))})"


def audit_dataset(
    records: Sequence[Record], metadata: Metadata, workers: int = 1, sample: int = 0, quiet: bool = False
) -> AuditReport:
    """Check the images and annotations of a data set.

    Args:
        records: of the data set.
        metadata: of the data set.
        workers: number of processes.
        sample: number of images to check, evenly spaced; 0: all.
        quiet: True to show no progress bar.

    Raises:
        DataError: there is no record.
    """
    if not records:
        raise DataError(f"{metadata.name} has no images; {metadata.repair_advice}.")
    selected = evenly_spaced(records, sample) if sample else records
    rules = AnnotationRules.from_metadata(metadata)
    report = AuditReport(metadata, len(selected), len(records), np.zeros(rules.num_classes, dtype=np.int64))
    report.without_objects = sum(_has_no_objects(record) for record in selected)
    problems: dict[int, str] = {}
    results = run_tasks(audit_image, [(record, rules) for record in selected], workers)
    for index, result in progress(results, f"checking {metadata.name}", len(selected), quiet):
        if result.problem:
            problems[index] = result.problem
        for label, count in result.pixels.items():
            report.pixels[label] += count
        report.unlabelled += result.unlabelled
    report.problems = [problems[index] for index in sorted(problems)]
    return report


def audit_image(record: Record, rules: AnnotationRules) -> ImageAudit:
    """Check one image and its annotations, and count its pixels by class."""
    try:
        image = read_record_image(record)
        size = (image.height, image.width)
        classes = read_class_map(record, rules, size)
        if "sem_seg_file_name" in record and "pan_seg_file_name" in record:
            read_label_classes(record, rules, size)
        check_areas(record)
    except DataError as error:
        return ImageAudit(problem=str(error))
    unlabelled, *counts = np.bincount((classes - NO_CLASS).ravel(), minlength=rules.num_classes + 1).tolist()
    return ImageAudit(unlabelled=unlabelled, pixels={label: count for label, count in enumerate(counts) if count})


def check_areas(record: Record) -> None:
    """Compare the annotated areas of the segments of an image with their pixels; those of crowds are not used.

    Areas may be larger than the pixels: those of ADE20K include pixels that other segments cover.

    Raises:
        DataError: a segment has more pixels than its area; its IoU could exceed 1.
    """
    areas = {segment["id"]: segment["area"] for segment in record.get("segments_info", ()) if _has_area(segment)}
    if not areas or "pan_seg_file_name" not in record:
        return
    runs = read_segment_runs(record["pan_seg_file_name"])
    values, index = np.unique(runs.values, return_inverse=True)
    counts = np.bincount(index.ravel(), weights=runs.lengths(), minlength=len(values)).astype(np.int64)
    pixels = dict(zip(values.tolist(), counts.tolist(), strict=True))
    for number, area in areas.items():
        if pixels.get(number, 0) > area:
            raise DataError(
                f"{record['pan_seg_file_name']} has {pixels[number]} pixels of segment {number}, its annotation "
                f"an area of {area}: write the JSON (area = number of pixels) and the PNG again from the same masks."
            )


def evenly_spaced(records: Sequence[Record], count: int) -> list[Record]:
    """Return ``count`` evenly spaced records, including the first and the last."""
    indices = np.linspace(0, len(records) - 1, min(count, len(records))).round().astype(int)
    return [records[index] for index in indices]


def _has_area(segment: Mapping[str, Any]) -> bool:
    return "area" in segment and not segment["iscrowd"]


def _has_no_objects(record: Record) -> bool:
    items = record.get("segments_info", record.get("annotations"))
    return items is not None and all(item["iscrowd"] for item in items)


def _abbreviated(names: Sequence[str]) -> str:
    rest = f" and {len(names) - MAX_LISTED} more" if len(names) > MAX_LISTED else ""
    return ", ".join(names[:MAX_LISTED]) + rest
