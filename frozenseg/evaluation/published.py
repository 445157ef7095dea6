"""Published scores of FrozenSeg and FC-CLIP, from FrozenSeg's README and the test logs of both projects."""

import csv
from importlib import resources
from typing import NamedTuple


class PublishedScore(NamedTuple):
    """One published score.

    Attributes:
        model: such as ``FC-CLIP ConvNeXt-L``.
        source: ``README``, or ``log`` for the authors' test log.
        benchmark: name of the data set.
        task: ``panoptic_seg``, ``sem_seg`` or ``segm``.
        metric: with the name in our results.
        value: percent.
    """

    model: str
    source: str
    benchmark: str
    task: str
    metric: str
    value: float


def published_results() -> tuple[PublishedScore, ...]:
    """Read ``published_results.tsv``."""
    text = resources.files("frozenseg.evaluation").joinpath("published_results.tsv").read_text(encoding="utf-8")
    rows = csv.DictReader(text.splitlines(), delimiter="\t")
    return tuple(
        PublishedScore(row["model"], row["source"], row["benchmark"], row["task"], row["metric"], float(row["value"]))
        for row in rows
    )
