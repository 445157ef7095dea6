"""Released weights of the model zoo: ``models.yaml`` as typed values."""

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import yaml

TASKS = {"PQ": "panoptic_seg", "AP": "segm", "APr": "segm", "mIoU": "sem_seg", "fwIoU": "sem_seg"}


class ZooBenchmark(NamedTuple):
    """A benchmark of published scores.

    Attributes:
        name: of its protocol in ``configs/eval``.
        title: for tables.
        dataset: name of the data set.
    """

    name: str
    title: str
    dataset: str


class ZooScore(NamedTuple):
    """One published score.

    Attributes:
        benchmark: name of the benchmark in ``models.yaml``.
        metric: such as ``PQ``.
        value: percent, with the digits that were published.
        tolerance: largest difference that counts as reproduced, percent.
        source: ``README``, ``log`` (the authors' test log) or ``paper``.
        sam_masks: True if it was made with the mask-proposal ensemble.
    """

    benchmark: str
    metric: str
    value: float
    tolerance: float
    source: str
    sam_masks: bool

    @property
    def task(self) -> str:
        """Return the task of the metric in our results."""
        return TASKS[self.metric]


class ZooModel(NamedTuple):
    """A released model.

    Attributes:
        name: of the weights.
        title: for tables.
        config: name of the shipped config.
        url: page of the checkpoint.
        licence: of the checkpoint, as its authors state it.
        trained_on: training data.
        selection: rule by which the authors chose the checkpoint.
        scores: published scores.
    """

    name: str
    title: str
    config: str
    url: str
    licence: str
    trained_on: str
    selection: str
    scores: tuple[ZooScore, ...]


def zoo_models() -> tuple[ZooModel, ...]:
    """Return the released models, in the order of the table."""
    return tuple(ZooModel(**{**entry, "scores": tuple(_scores(entry["scores"]))}) for entry in _read_table()["models"])


def zoo_benchmarks() -> dict[str, ZooBenchmark]:
    """Return the benchmarks of the table by name."""
    return {name: ZooBenchmark(name, **entry) for name, entry in _read_table()["benchmarks"].items()}


def _scores(groups: list[dict[str, Any]]) -> Iterator[ZooScore]:
    for group in groups:
        origin = group["tolerance"], group["source"], group.get("sam_masks", False)
        for benchmark, metrics in group["benchmarks"].items():
            yield from (ZooScore(benchmark, metric, value, *origin) for metric, value in metrics.items())


@cache
def _read_table() -> dict[str, Any]:
    text = resources.files("frozenseg.modeling.model_zoo").joinpath("models.yaml").read_text(encoding="utf-8")
    table: dict[str, Any] = yaml.safe_load(text)
    return table
