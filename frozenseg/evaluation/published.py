"""Results that others have published, to stand beside ours: the README of FrozenSeg, and both projects' test logs."""

import csv
from importlib import resources
from typing import NamedTuple


class PublishedScore(NamedTuple):
    """One number.

    Attributes:
        model: such as ``FC-CLIP ConvNeXt-L``.
        source: README, or log (of the authors' own test run).
        benchmark: name of the data set.
        task: ``panoptic_seg``, ``sem_seg`` or ``segm``.
        metric: as in our results.
        value: percent.
    """

    model: str
    source: str
    benchmark: str
    task: str
    metric: str
    value: float


def published_results() -> tuple[PublishedScore, ...]:
    """Return all that ``published_results.tsv`` holds."""
    text = resources.files("frozenseg.evaluation").joinpath("published_results.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple(
        PublishedScore(row["model"], row["source"], row["benchmark"], row["task"], row["metric"], float(row["value"]))
        for row in rows
    )
