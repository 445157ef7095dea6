"""COCO's average precision of masks, computed by faster-coco-eval if it is installed, otherwise by pycocotools.

Letters: T IoU thresholds, R recall levels, K categories, A object sizes, M limits of detections.
"""

import contextlib
import functools
import importlib
import importlib.metadata
import importlib.util
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pycocotools import mask as coco_mask

from frozenseg.errors import DataError
from frozenseg.evaluation.coco_ground_truth import CocoGroundTruth, read_coco_ground_truth
from frozenseg.evaluation.result_lines import ResultLine, checked_lines
from frozenseg.structures.record import ImageId

FASTER_COCO_EVAL, PYCOCOTOOLS = "faster-coco-eval", "pycocotools"
OBJECT_SIZES = {"": 0, "s": 1, "m": 2, "l": 3}  # index by suffix: any size, up to 32², up to 96², above; pixels
DETECTION_LIMITS = (1, 10, 100)  # per image
AREAS_PER_CALL = 255  # masks: pycocotools fails on more with NumPy 2


class AveragePrecision(NamedTuple):
    """Result of COCO's evaluation.

    Attributes:
        metrics: AP, AP50, AP75, APs, APm, APl, AR@1, AR@10, AR@100, ARs, ARm, ARl: fractions, NaN without objects.
        precision: (T, R, K) for objects of any size and 100 detections; -1 for categories without objects.
        thresholds: (T,) of IoU.
    """

    metrics: dict[str, float]
    precision: np.ndarray
    thresholds: np.ndarray


def coco_ap(
    json_file: str | Path,
    predictions: Sequence[ResultLine],
    images: Sequence[ImageId],
    categories: Sequence[int],
    package: str = "",
) -> AveragePrecision:
    """Score masks.

    Args:
        json_file: COCO's instance annotations.
        predictions: result lines with image_id, category_id, segmentation (run lengths) and score.
        images: ids of the evaluated images.
        categories: ids of the evaluated categories, ascending.
        package: :data:`FASTER_COCO_EVAL` or :data:`PYCOCOTOOLS`; by default :func:`ap_package`.

    Raises:
        DataError: the annotations are missing or invalid, or lack one of the images.
    """
    ground_truth = read_coco_ground_truth(json_file)
    ground_truth.warn()
    if unknown := set(images) - ground_truth.images.keys():
        raise DataError(f"Image {min(map(str, unknown))} is not among the images of {json_file}.")
    checked = checked_lines(predictions, ground_truth.sizes)
    return score_masks(ground_truth, checked, images, categories, package)


def score_masks(
    ground_truth: CocoGroundTruth,
    predictions: Sequence[ResultLine],
    images: Sequence[ImageId],
    categories: Sequence[int],
    package: str = "",
) -> AveragePrecision:
    """Score masks against annotations that are read already; see :func:`coco_ap`.

    Args:
        ground_truth: the annotations.
        predictions: of :func:`checked_lines`, which the packages read without a check.
        images: ids of the evaluated images.
        categories: ids of the evaluated categories, ascending.
        package: as in :func:`coco_ap`.
    """
    coco, evaluation_class = _classes(package or ap_package())
    # image ids may be strings, which faster-coco-eval does not accept
    ordered = sorted(ground_truth.images, key=lambda image: (isinstance(image, str), image))
    number_of = {image: number for number, image in enumerate(ordered, 1)}
    # copies, because the packages write into them
    annotations = [{**item, "image_id": number_of[item["image_id"]]} for item in ground_truth.annotations]
    lines = [{**line, "image_id": number_of[line["image_id"]]} for line in predictions]
    files = [_image(entry, number_of[image], ground_truth.sizes[image]) for image, entry in ground_truth.images.items()]
    categories_entries = list(ground_truth.categories.values())
    # the packages print their progress to stdout, which belongs to the caller
    with contextlib.redirect_stdout(io.StringIO()):
        annotated = coco()
        annotated.dataset = {"images": files, "categories": categories_entries, "annotations": annotations}
        annotated.createIndex()
        evaluation = evaluation_class(annotated, _results(coco, annotated, lines), "segm")
        evaluation.params.imgIds = sorted({number_of[image] for image in images})
        evaluation.params.catIds = list(categories)
        evaluation.evaluate()
        evaluation.accumulate()
    precision = np.asarray(evaluation.eval["precision"])  # (T, R, K, A, M)
    recall = np.asarray(evaluation.eval["recall"])  # (T, K, A, M)
    thresholds = np.asarray(evaluation.params.iouThrs)
    of_limit = precision[..., -1]
    metrics = {"AP": of_limit[..., 0]}
    metrics |= {f"AP{percent}": of_limit[np.isclose(thresholds, percent / 100)][..., 0] for percent in (50, 75)}
    metrics |= {f"AP{suffix}": of_limit[..., index] for suffix, index in OBJECT_SIZES.items() if suffix}
    metrics |= {f"AR@{limit}": recall[:, :, 0, index] for index, limit in enumerate(DETECTION_LIMITS)}
    metrics |= {f"AR{suffix}": recall[:, :, index, -1] for suffix, index in OBJECT_SIZES.items() if suffix}
    means = {name: _mean(values) for name, values in metrics.items()}
    return AveragePrecision(means, of_limit[..., 0], thresholds)


def precision_by_category(precision: np.ndarray, thresholds: np.ndarray) -> dict[str, np.ndarray]:
    """Average precision over IoU thresholds and recall levels.

    Args:
        precision: (T, R, K), -1 for categories without objects.
        thresholds: (T,) of IoU.

    Returns:
        AP, AP50, AP75: (K,) fractions, NaN for categories without objects.
    """
    selected = {"AP": np.ones(len(thresholds), dtype=bool)}
    selected |= {f"AP{percent}": np.isclose(thresholds, percent / 100) for percent in (50, 75)}
    by_category = {}
    for metric, rows in selected.items():
        levels = precision[rows].transpose(2, 0, 1).reshape(precision.shape[2], -1)  # (K, T·R)
        # a category without objects is -1 at every level
        by_category[metric] = np.where(levels[:, 0] > -1, levels.mean(axis=1), np.nan)
    return by_category


def ap_package() -> str:
    """Return the package that computes AP: faster-coco-eval if it is installed."""
    return FASTER_COCO_EVAL if importlib.util.find_spec("faster_coco_eval") else PYCOCOTOOLS


def ap_package_version() -> str:
    """Return the name and version of the package that computes AP."""
    return f"{ap_package()} {importlib.metadata.version(ap_package())}"


def _image(entry: dict[str, Any], number: int, size: tuple[int, int] | None) -> dict[str, Any]:
    """Return an image with a number as id, and with a size, which the packages read even if it has no object."""
    height, width = size or (1, 1)
    return {**entry, "id": number, "height": height, "width": width}


def _mean(values: np.ndarray) -> float:
    known = values[values > -1]  # -1: no object
    return float(np.mean(known)) if known.size else float("nan")


@functools.cache
def _classes(package: str) -> tuple[Any, Any]:
    if package == FASTER_COCO_EVAL:
        core = importlib.import_module("faster_coco_eval.core")
        return core.COCO, core.COCOeval_faster
    return importlib.import_module("pycocotools.coco").COCO, importlib.import_module("pycocotools.cocoeval").COCOeval


def _results(coco: Any, ground_truth: Any, predictions: list[ResultLine]) -> Any:
    """Return predictions as an object of the package's class ``COCO``.

    Equal to the packages' ``loadRes``, which computes areas one by one and cannot load an empty list: areas are those
    of the boxes if the first line has one.
    """
    if predictions and predictions[0].get("bbox"):
        areas = [line["bbox"][2] * line["bbox"][3] for line in predictions]
    else:
        masks = [line["segmentation"] for line in predictions]
        parts = (masks[start : start + AREAS_PER_CALL] for start in range(0, len(masks), AREAS_PER_CALL))
        areas = [area for part in parts for area in coco_mask.area(part).tolist()]
    lines = [
        {**line, "id": number, "area": area, "iscrowd": 0}
        for number, (line, area) in enumerate(zip(predictions, areas, strict=True), 1)
    ]
    results = coco()
    results.dataset = {**ground_truth.dataset, "annotations": lines}
    results.createIndex()
    return results
