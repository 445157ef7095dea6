"""What an evaluation has found, and how: written to ``inference/`` as JSON, CSV and a page to look at."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from frozenseg.data.images import read_image
from frozenseg.data.metadata import Metadata
from frozenseg.engine.environment import NOT_INSTALLED, package_versions
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.comparison import MAX_WIDTH, compare
from frozenseg.evaluation.diagnosis import warn_about_zero_scores
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.evaluation.gallery import GalleryImage
from frozenseg.evaluation.html_report import BenchmarkReport, write_report
from frozenseg.evaluation.published import PublishedScore, published_results
from frozenseg.evaluation.render import render
from frozenseg.evaluation.report import results_table, write_per_class, write_results
from frozenseg.log import get_logger
from frozenseg.modeling.frozen import hash_of
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
PACKAGES = ("frozenseg", "torch", "torchvision", "numpy", "pycocotools", "open_clip_torch")
OPTIONAL_PACKAGES = ("faster-coco-eval", "cityscapesscripts", "lvis")  # reported if they are installed
MIN_WIDTH = 160  # of a drawing, pixels


@dataclass(frozen=True)
class BenchmarkResult:
    """Of one benchmark.

    Attributes:
        results: task → metric → percent.
        per_class: metric → class name → percent.
        classes: that are scored.
        metadata: of the data set.
        about: what was run, as JSON can hold it.
        best: the images done best, the best first.
        worst: the images done worst, the worst first.
    """

    results: dict[str, dict[str, float]]
    per_class: Mapping[str, Mapping[str, float]]
    classes: ClassTable
    metadata: Metadata
    about: dict[str, Any]
    best: list[GalleryImage]
    worst: list[GalleryImage]


def weights_of(model: nn.Module, file: str = "") -> dict[str, Any]:
    """Return what tells one model's weights from another's.

    Args:
        model: not wrapped.
        file: that the weights come from; empty for a model in training or an untrained one.
    """
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return {
        "model": type(model).__name__,
        "file": file or None,
        "hash": hash_of(trained),
        "frozen": model.frozen_hashes(),
    }


def about_protocol(cfg: Any, classes: ClassTable, words: Vocabulary, evaluators: DatasetEvaluators) -> dict[str, Any]:
    """Return by what a benchmark is run, as JSON can hold it.

    Args:
        cfg: by which it is run.
        classes: that are scored.
        words: that the model is asked for.
        evaluators: its metrics.
    """
    seen = int(classes.subsets["S"].sum())
    optional = package_versions(OPTIONAL_PACKAGES)
    installed = {name: version for name, version in optional.items() if version != NOT_INSTALLED}
    return {
        "config": yaml.safe_load(cfg.dump()),
        "vocabulary": dict(zip(classes.names, map(list, words.classes), strict=True)),
        "seen": {
            "rule": cfg.DATASETS.SEEN_RULE,
            "trained on": ", ".join(cfg.DATASETS.TRAIN),
            "seen classes": seen,
            "unseen classes": len(classes) - seen,
        },
        "rules": {type(evaluator).__name__: evaluator.rule for evaluator in evaluators.evaluators},
        "libraries": {"python": platform.python_version(), **package_versions(PACKAGES), **installed},
    }


def write_benchmark_results(folder: Path, benchmark_results: Mapping[str, BenchmarkResult], compare: bool) -> None:
    """Write ``results.json``, a CSV a benchmark and ``report.html``; log the tables and where all this lies.

    Args:
        folder: for the files.
        benchmark_results: by benchmark.
        compare: put published results beside them.
    """
    results = {name: outcome.results for name, outcome in benchmark_results.items()}
    per_class = {name: outcome.per_class for name, outcome in benchmark_results.items()}
    about = {name: outcome.about for name, outcome in benchmark_results.items()}
    write_results(folder / "results.json", results, per_class, about)
    for name, outcome in benchmark_results.items():
        write_per_class(folder / f"{name}_per_class.csv", outcome.classes, outcome.per_class)
    published = published_results() if compare else ()
    logger.info("Results in percent:\n%s", results_table(results, published))
    warn_about_zero_scores(results)
    width = max(MIN_WIDTH, round(MAX_WIDTH / math.sqrt(len(benchmark_results))))  # so that the page stays small
    reports = [
        _report(name, outcome, width, [row for row in published if row.benchmark == name])
        for name, outcome in benchmark_results.items()
    ]
    write_report(folder / "report.html", reports)
    logger.info("Results: %s, by class: *_per_class.csv beside it", folder / "results.json")
    logger.info("To look at: %s", folder / "report.html")


def _report(name: str, outcome: BenchmarkResult, width: int, published: Sequence[PublishedScore]) -> BenchmarkReport:
    colours = outcome.metadata.colors
    best, worst = (
        [render(compare(shown, read_image, width), colours) for shown in end] for end in (outcome.best, outcome.worst)
    )
    by_labels = any(shown.kind == "labels" for shown in outcome.best)
    return BenchmarkReport(
        name=name,
        results=outcome.results,
        per_class=outcome.per_class,
        classes=outcome.classes,
        colours=colours,
        about=outcome.about,
        best=best,
        worst=worst,
        score="mIoU" if by_labels else "PQ",
        published=published,
    )
