"""Files of an evaluation in ``inference/``: ``results.json``, scores of every class as CSV, HTML report."""

import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from frozenseg.config import CfgNode
from frozenseg.data.images import read_image
from frozenseg.data.metadata import Metadata
from frozenseg.engine.environment import NOT_INSTALLED, package_versions
from frozenseg.engine.evaluation.published_scores import published_results
from frozenseg.evaluation.class_table import ClassTable
from frozenseg.evaluation.comparison import DRAWING_WIDTH, compare_images
from frozenseg.evaluation.diagnosis import warn_about_zero_scores
from frozenseg.evaluation.evaluator import DatasetEvaluators
from frozenseg.evaluation.gallery import GalleryImage
from frozenseg.evaluation.html_report import BenchmarkReport, write_report
from frozenseg.evaluation.published import PublishedScore
from frozenseg.evaluation.render import render_comparison
from frozenseg.evaluation.report import results_table, write_per_class, write_results
from frozenseg.log import get_logger
from frozenseg.modeling.frozen import hash_of
from frozenseg.modeling.load_weights import frozen_parts
from frozenseg.modeling.segmentation_model import SegmentationModel
from frozenseg.vocabulary import Vocabulary

logger = get_logger(__name__)
PACKAGES = ("frozenseg", "torch", "torchvision", "numpy", "pycocotools", "open_clip_torch")
OPTIONAL_PACKAGES = ("faster-coco-eval", "cityscapesscripts", "lvis")  # reported if they are installed
MIN_WIDTH = 160  # of an image in the report, pixels


@dataclass(frozen=True)
class BenchmarkResult:
    """Result of a model on one benchmark.

    Attributes:
        results: task → metric → percent.
        per_class: metric → class name → percent.
        classes: the scored classes.
        metadata: of the data set.
        about: weights, settings and versions that the results depend on, as plain values for JSON.
        best: images with the highest scores, the best first.
        worst: images with the lowest scores, the worst first.
    """

    results: dict[str, dict[str, float]]
    per_class: Mapping[str, Mapping[str, float]]
    classes: ClassTable
    metadata: Metadata
    about: dict[str, Any]
    best: list[GalleryImage]
    worst: list[GalleryImage]


def weights_of(model: SegmentationModel, file: str = "") -> dict[str, Any]:
    """Return the identity of the weights of a model: class, file, hashes, and the precision of the frozen encoders.

    Args:
        model: not wrapped for data parallelism.
        file: source of the weights; empty for a model in training or an untrained one.
    """
    trained = {name: value for name, value in model.named_parameters() if value.requires_grad}
    return {
        "model": type(model).__name__,
        "file": file or None,
        "hash": hash_of(trained),
        "frozen": model.frozen_hashes(),
        "precision": {name: str(part.precision) for name, part in frozen_parts(model).items()},
    }


def about_protocol(
    cfg: CfgNode, classes: ClassTable, vocabulary: Vocabulary, evaluators: DatasetEvaluators
) -> dict[str, Any]:
    """Return the settings of an evaluation and the versions of its libraries, as plain values for JSON.

    Args:
        cfg: model config with the protocol of the benchmark.
        classes: the scored classes.
        vocabulary: the prompted class names.
        evaluators: the metrics.
    """
    seen = int(classes.subsets["S"].sum())
    optional = package_versions(OPTIONAL_PACKAGES)
    installed = {name: version for name, version in optional.items() if version != NOT_INSTALLED}
    return {
        "config": yaml.safe_load(cfg.dump()),
        "vocabulary": dict(zip(classes.names, map(list, vocabulary.classes), strict=True)),
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
    """Write ``results.json``, a CSV for each benchmark and ``report.html``; log the tables and the paths.

    Args:
        folder: folder of the files.
        benchmark_results: results by benchmark.
        compare: add published results.
    """
    results = {name: result.results for name, result in benchmark_results.items()}
    per_class = {name: result.per_class for name, result in benchmark_results.items()}
    about = {name: result.about for name, result in benchmark_results.items()}
    write_results(folder / "results.json", results, per_class, about)
    for name, result in benchmark_results.items():
        write_per_class(folder / f"{name}_per_class.csv", result.classes, result.per_class)
    published = published_results() if compare else ()
    logger.info("Results in percent:\n%s", results_table(results, published))
    warn_about_zero_scores(results)
    # With more benchmarks the images are smaller, so that the size of the page stays bounded.
    width = max(MIN_WIDTH, round(DRAWING_WIDTH / math.sqrt(len(benchmark_results))))
    reports = [
        _report(name, result, width, [row for row in published if row.benchmark == name])
        for name, result in benchmark_results.items()
    ]
    write_report(folder / "report.html", reports)
    logger.info("Results: %s; of every class: *_per_class.csv in the same folder", folder / "results.json")
    logger.info("Report: %s", folder / "report.html")


def _report(name: str, result: BenchmarkResult, width: int, published: Sequence[PublishedScore]) -> BenchmarkReport:
    colours = result.metadata.colors
    best, worst = (
        [render_comparison(compare_images(shown, read_image, width), colours) for shown in end]
        for end in (result.best, result.worst)
    )
    by_labels = any(shown.kind == "labels" for shown in result.best)
    return BenchmarkReport(
        name=name,
        results=result.results,
        per_class=result.per_class,
        classes=result.classes,
        colours=colours,
        about=result.about,
        best=best,
        worst=worst,
        score="mIoU" if by_labels else "PQ",
        published=published,
    )
