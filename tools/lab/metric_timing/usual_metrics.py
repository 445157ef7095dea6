"""The usual implementations of the metrics, as in the evaluators of Detectron2, panopticapi and pycocotools.

Letters: H×W image size, Q queries, C classes.
"""

import contextlib
import io
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from frozenseg.structures.panoptic import id_to_rgb, rgb_to_id

OFFSET = 256**3


class UsualPQ:
    """PQ from PNG files (panopticapi): the id map is written as a PNG, then both PNGs are read and compared.

    Args:
        folder: for the PNG files.
        classes: C.
    """

    def __init__(self, folder: Path, classes: int) -> None:
        self.folder = folder
        self.counts = np.zeros((classes, 4))  # tp, fp, fn, sum of IoU

    def score(self, record: dict[str, Any], output: dict[str, Any]) -> None:
        """Write the prediction, read both files and match the segments."""
        ids, segments = output["panoptic_seg"]
        with io.BytesIO() as buffer:
            Image.fromarray(id_to_rgb(ids.numpy())).save(buffer, format="PNG")
            path = self.folder / "usual.png"
            path.write_bytes(buffer.getvalue())
        true_ids, predicted_ids = (rgb_to_id(decode(name)) for name in (record["pan_seg_file_name"], path))
        true = {segment["id"]: segment for segment in record["segments_info"]}
        predicted = {segment["id"]: dict(segment) for segment in segments}
        for number, area in zip(*np.unique(predicted_ids, return_counts=True), strict=True):
            predicted[number]["area"] = area
        pair_ids = true_ids.astype(np.uint64) * OFFSET + predicted_ids.astype(np.uint64)
        pairs, pixels = np.unique(pair_ids, return_counts=True)
        matched = set()
        for pair, common in zip(pairs.tolist(), pixels.tolist(), strict=True):
            one, other = true.get(pair // OFFSET), predicted.get(pair % OFFSET)
            if one is None or other is None or one["category_id"] != other["category_id"]:
                continue
            iou = common / (one["area"] + other["area"] - common)
            if iou > 0.5:
                self.counts[one["category_id"]] += (1, 0, 0, iou)
                matched |= {("true", one["id"]), ("predicted", other["id"])}
        for segment in true.values():
            self.counts[segment["category_id"], 2] += ("true", segment["id"]) not in matched
        for segment in predicted.values():
            self.counts[segment["category_id"], 1] += ("predicted", segment["id"]) not in matched

    def quality(self) -> float:
        """Return PQ over the classes that occur, in percent."""
        tp, fp, fn, iou = self.counts[self.counts.any(axis=1)].T
        return float(np.mean(100 * iou / (tp + fp / 2 + fn / 2)))


class UsualIoU:
    """mIoU from score maps: an argmax over all classes, a count of all pixels, and RLE of every class (Detectron2).

    Args:
        classes: C.
        ignore: value of unlabelled pixels.
    """

    def __init__(self, classes: int, ignore: int) -> None:
        self.classes, self.ignore = classes, ignore
        self.confusion = np.zeros((classes + 1, classes + 1), dtype=np.int64)
        self.lines: list[dict[str, Any]] = []

    def process(self, scores: torch.Tensor, path: Path) -> None:
        """Add an image."""
        predicted = scores.argmax(dim=0).numpy().astype(np.int64)
        labels = np.asarray(Image.open(path)).astype(np.int64)
        labels[labels == self.ignore] = self.classes
        pairs = (self.classes + 1) * predicted + labels
        self.confusion += np.bincount(pairs.ravel(), minlength=self.confusion.size).reshape(self.confusion.shape)
        self.lines = [
            {"category_id": int(label), "segmentation": usual_rle(predicted == label)} for label in np.unique(predicted)
        ]

    def miou(self) -> float:
        """Return mIoU over annotated classes, in percent."""
        counted = self.confusion[:-1, :-1]
        correct, annotated, predicted = np.diag(counted), counted.sum(axis=0), counted.sum(axis=1)
        occurs = annotated > 0
        return float(100 * np.mean(correct[occurs] / (annotated + predicted - correct)[occurs]))


def usual_rle(mask: np.ndarray) -> Any:
    """Return the RLE of one mask (H, W), by pycocotools."""
    return coco_mask.encode(np.array(mask[:, :, None], order="F", dtype="uint8"))[0]


def usual_rles(masks: np.ndarray) -> list[Any]:
    """Return the RLE of each mask (N, H, W), by pycocotools."""
    return [usual_rle(mask) for mask in masks]


def usual_ap(json_file: Path, lines: list[dict[str, Any]]) -> float:
    """Return COCO's AP in percent, by pycocotools."""
    with contextlib.redirect_stdout(io.StringIO()):
        ground_truth = COCO(str(json_file))
        evaluation = COCOeval(ground_truth, ground_truth.loadRes([dict(line) for line in lines]), "segm")
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return 100 * float(evaluation.stats[0])


def score_maps(logits: torch.Tensor, probabilities: torch.Tensor) -> torch.Tensor:
    """Return the score maps (C, H, W) of all classes, from logits (Q, C + 1) and mask probabilities (Q, H, W)."""
    return torch.einsum("qc,qhw->chw", logits.softmax(dim=-1)[:, :-1], probabilities)


def decode(path: str | Path) -> np.ndarray:
    """Return the pixels of an image file, (H, W, 3) uint8."""
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
