"""Timings of PQ, mIoU and AP, ours against the usual implementation, with a check that the results are equal."""

import functools
import multiprocessing
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from frozenseg.atomic import write_json
from frozenseg.errors import FrozenSegError
from frozenseg.evaluation.coco_ap import ap_package_version
from frozenseg.evaluation.coco_ap_evaluator import InstanceAP
from frozenseg.evaluation.ground_truth import read_ground_truths
from frozenseg.evaluation.panoptic_quality import PanopticQuality
from frozenseg.evaluation.prediction_file_metrics.pairs import PanopticFile, match_panoptic_files
from frozenseg.evaluation.semantic_iou import SemanticIoU
from frozenseg.log import progress
from frozenseg.modeling.postprocess.semantic import semantic_labels
from frozenseg.structures.label_files import write_labels
from frozenseg.structures.label_runs import Runs
from frozenseg.structures.masks import encode_rle
from lab.metric_timing import TIMING_NAMES
from lab.metric_timing.paired_timing import PairedTiming, Row
from lab.metric_timing.synthetic import (
    SEGMENTS,
    THINGS,
    class_table,
    coco_annotations,
    instance_input,
    panoptic_input,
    semantic_input,
)
from lab.metric_timing.usual_metrics import UsualIoU, UsualPQ, decode, score_maps, usual_ap, usual_rles

KIB_IN_MIB = 1024
TOLERANCE = 1e-9  # percent
label_map = functools.partial(semantic_labels, masks_are_probabilities=True)


def time_pq(size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """Time PQ of model outputs and of PNG files."""
    rng = np.random.default_rng(0)
    usual, ours, of_files = UsualPQ(folder, SEGMENTS), *(PanopticQuality(class_table(SEGMENTS)) for _ in range(2))
    loaded, whole, files = PairedTiming(), PairedTiming(), PairedTiming()
    for index in progress(range(images), "PQ", images):
        record, output, prediction_path = panoptic_input(rng, size, folder / str(index))
        # a worker of the data loader reads the ground truth
        prepared = {**record, "ground_truth": read_ground_truths(["segments"], record)}
        loaded.time(
            functools.partial(usual.score, record, output), functools.partial(ours.process, [prepared], [output])
        )
        whole.time(functools.partial(usual.score, record, output), functools.partial(ours.describe, record, output))
        files.time(
            functools.partial(decode_both, record["pan_seg_file_name"], prediction_path),
            functools.partial(score_file, of_files, record, prediction_path, output["panoptic_seg"][1]),
        )
    for evaluator in (ours, of_files):
        check_equal(usual.quality(), evaluator.evaluate()["panoptic_seg"]["PQ"])
    return [
        loaded.row("PQ, output → table", "usual: PNG written and read again; ours: ground truth read by the loader"),
        whole.row("PQ, output → table", "ours: with reading of the ground truth"),
        files.row("PQ, two PNG files → table", "usual: only the decoding of the two files"),
    ]


def time_miou(classes: int, size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """Time mIoU from score maps and from queries."""
    rng = np.random.default_rng(classes)
    ignore = 255 if classes < 255 else 65535
    usual, ours = UsualIoU(classes, ignore), SemanticIoU(class_table(classes), ignore)
    scored, queried = PairedTiming(), PairedTiming()
    for index in progress(range(images), f"mIoU, {classes} classes", images):
        logits, probabilities, labels = semantic_input(rng, classes, size)
        path = folder / f"labels_{classes}_{index}.tif"
        write_labels(path, labels)
        record = {"image_id": index, "sem_seg_file_name": str(path)}
        prepared = {**record, "ground_truth": read_ground_truths(["labels"], record)}
        scores = score_maps(logits, probabilities)
        scored.time(
            functools.partial(usual.process, scores, path),
            functools.partial(ours.process, [prepared], [{"sem_seg": scores}]),
        )
        del scores
        queried.time(
            functools.partial(_usual_from_queries, usual, logits, probabilities, path),
            functools.partial(_ours_from_queries, ours, logits, probabilities, prepared),
        )
    check_equal(usual.miou(), ours.evaluate()["sem_seg"]["mIoU"])
    return [
        scored.row(f"mIoU, {classes} classes, scores → table", "usual: argmax, all pixels, run lengths"),
        queried.row(f"mIoU, {classes} classes, queries → table", "ours: without score maps"),
    ]


def _usual_from_queries(usual: UsualIoU, logits: Tensor, probabilities: Tensor, path: Path) -> None:
    usual.process(score_maps(logits, probabilities), path)


def _ours_from_queries(ours: SemanticIoU, logits: Tensor, probabilities: Tensor, record: dict[str, Any]) -> None:
    ours.process([record], [{"sem_seg": label_map(logits, probabilities)}])


def time_ap(size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """Time AP of masks and their run-length encoding."""
    rng = np.random.default_rng(0)
    encoding, scoring = PairedTiming(), PairedTiming()
    ground_truth, outputs = [], []
    for _ in progress(range(images), "AP", images):
        objects, output = instance_input(rng, size)
        masks = output["instances"].pred_masks.numpy()
        encoding.time(functools.partial(usual_rles, masks), functools.partial(encode_rle, masks))
        ground_truth.append(objects)
        outputs.append(output)
    json_file = folder / "instances.json"
    write_json(json_file, coco_annotations(ground_truth, size))
    ours = InstanceAP(class_table(THINGS), str(json_file), {index: index + 1 for index in range(THINGS)})
    for index, output in enumerate(outputs):
        ours.process([{"image_id": index + 1}], [output])
    lines = [line for image in ours.images for line in image["lines"]]
    for _ in range(5):
        usual, results = scoring.time(functools.partial(usual_ap, json_file, lines), ours.evaluate)
        check_equal(usual, results["segm"]["AP"])
    row = scoring.row("AP, run lengths → table", f"usual: pycocotools; ours: {ap_package_version()}")
    return [
        encoding.row("run lengths of 100 masks", "usual: pycocotools, mask by mask"),
        row._replace(usual=row.usual / images, ours=row.ours / images),
    ]


def measure_memory(size: tuple[int, int], images: int, folder: Path) -> list[Row]:
    """Measure the peak memory of mIoU with 847 classes at 1024×1024 in a new process: MiB instead of ms."""
    del size, images, folder
    context = multiprocessing.get_context("spawn")
    peaks = []
    for with_score_maps in (True, False):
        with context.Pool(1) as pool:
            peaks.append(pool.apply(peak_memory, (847, (1024, 1024), with_score_maps)))
    usual, ours = peaks
    return [Row("peak MiB, 847 classes, 1024×1024, queries → table", usual, ours, "whole process with PyTorch")]


_FUNCTIONS = (
    time_pq,
    functools.partial(time_miou, 150),
    functools.partial(time_miou, 847),
    measure_memory,
    time_ap,
)
TIMINGS: dict[str, Callable[[tuple[int, int], int, Path], list[Row]]] = dict(zip(TIMING_NAMES, _FUNCTIONS, strict=True))


def peak_memory(classes: int, size: tuple[int, int], with_score_maps: bool) -> float:
    """Evaluate mIoU of one image in this process; returns the peak memory of the process in MiB."""
    logits, probabilities, labels = semantic_input(np.random.default_rng(0), classes, size)
    evaluator = SemanticIoU(class_table(classes), 65535)
    maps_or_labels = (score_maps if with_score_maps else label_map)(logits, probabilities)
    predicted = maps_or_labels.argmax(dim=0) if with_score_maps else maps_or_labels
    evaluator.process([{"image_id": 0, "ground_truth": {"labels": Runs.of(labels)}}], [{"sem_seg": predicted}])
    evaluator.evaluate()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / KIB_IN_MIB


def score_file(
    evaluator: PanopticQuality, record: dict[str, Any], prediction: Path, segments: list[dict[str, Any]]
) -> None:
    """Add a pair of PNG files to an evaluator, as ``tools/evaluate_predictions.py`` does."""
    ground_truth = PanopticFile(Path(record["pan_seg_file_name"]), record["segments_info"])
    predicted = PanopticFile(prediction, segments)
    evaluator.add(match_panoptic_files(record["image_id"], ground_truth, predicted, len(evaluator.table)).counts)


def decode_both(*paths: str | Path) -> None:
    """Decode image files."""
    for path in paths:
        decode(path)


def check_equal(usual: float, ours: float) -> None:
    """Check that both implementations have the same result.

    Raises:
        FrozenSegError: They differ.
    """
    if abs(usual - ours) > TOLERANCE:
        raise FrozenSegError(f"The usual implementation gives {usual} %, ours {ours} %: they should be equal.")
