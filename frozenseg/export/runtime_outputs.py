"""Post-processing of the runtime in NumPy: class probabilities and mask logits → panoptic map, instances and labels.

The formulas are those of ``frozenseg.modeling.postprocess``; this file imports NumPy alone.

Letters: Q queries, C requested classes, R negatives, m×n the predicted masks, H×W the output, K selected masks.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

Sizes = Sequence[tuple[int, int]]  # of the padded input, of the image inside it, and of the output
STRIP = 2**21  # values of all masks in a strip of rows
COLUMNS_OF_BLOCK = 64  # of a strip that are computed together, as they need a narrow band of the masks
UNIT = 2**20  # sums of mask probabilities are in whole 2^-20, so that they are exact in any order


class ModelOutputs(NamedTuple):
    """Outputs of the image graph for one image."""

    objects: np.ndarray  # (Q, C + R + 1) class probabilities for panoptic and instance output, void last
    semantic: np.ndarray  # (Q, C + R + 1) for labels
    masks: np.ndarray  # (Q, m, n) logits


class ClassSelection(NamedTuple):
    """Classes of a call: the requested ones, and the rules that keep others out of the outputs."""

    requested: int  # C
    isthing: np.ndarray  # (C,) bool
    background: list[int]
    negative_weight: float
    min_evidence: float


class DetectedInstances(NamedTuple):
    """Instances of an image, the highest score first."""

    masks: np.ndarray  # (K, H, W) bool
    boxes: np.ndarray  # (K, 4) float32 x0, y0, x1, y1
    scores: np.ndarray  # (K,) float32
    classes: np.ndarray  # (K,) int64


class SegmentedImage(NamedTuple):
    """Outputs for one image."""

    panoptic: np.ndarray  # (H, W) int32 segment ids, 0 for none
    segments: list[dict[str, Any]]  # id, isthing, category_id, label_id, score
    instances: DetectedInstances
    semantic: np.ndarray  # (H, W) int64 class, -1 for none


def image_outputs(
    outputs: ModelOutputs, selection: ClassSelection, sizes: Sizes, rules: dict[str, Any]
) -> SegmentedImage:
    """Return the outputs of an image.

    Args:
        outputs: of the image graph.
        selection: the classes.
        sizes: height and width of the padded input, of the image inside it, and of the output.
        rules: ``postprocessing`` of the manifest.
    """
    hidden = _hidden_classes(outputs, selection)
    objects, semantic = (_merged(each, selection, hidden) for each in outputs[:2])  # (Q, C + 2)
    isthing = np.append(selection.isthing, False)
    masks = _RestoredMasks(outputs.masks, sizes)
    panoptic, segments = _panoptic(objects, masks, isthing, rules)
    shown = [segment for segment in segments if segment["category_id"] < selection.requested]
    new_ids = np.zeros(len(segments) + 1, dtype=np.int32)
    for number, segment in enumerate(shown, start=1):
        new_ids[segment["id"]] = number
        segment["id"] = number
    labels = _labels(semantic, masks)
    labels[labels == selection.requested] = -1
    instances = _instances(objects, masks, isthing, rules)
    kept = ~hidden[instances.classes]
    return SegmentedImage(new_ids[panoptic], shown, DetectedInstances(*(each[kept] for each in instances)), labels)


def _hidden_classes(outputs: ModelOutputs, selection: ClassSelection) -> np.ndarray:
    """Return (C + R,) bool: True for negatives, background, and classes without evidence."""
    weighted = _weighted(outputs.objects, selection)
    not_empty = np.any(outputs.masks > 0, axis=(1, 2), keepdims=True)[..., 0]  # (Q, 1)
    evidence = (weighted[:, : selection.requested] * not_empty).max(axis=0)
    hidden = np.ones(weighted.shape[1] - 1, dtype=bool)
    hidden[: selection.requested] = evidence < selection.min_evidence
    hidden[selection.background] = True
    return hidden


def _weighted(probabilities: np.ndarray, selection: ClassSelection) -> np.ndarray:
    """Return (Q, C + R + 1) probabilities with the prior odds of the negatives."""
    weighted = probabilities.copy()
    weighted[:, selection.requested : -1] *= selection.negative_weight
    normalised: np.ndarray = weighted / weighted.sum(axis=1, keepdims=True)
    return normalised


def _merged(probabilities: np.ndarray, selection: ClassSelection, hidden: np.ndarray) -> np.ndarray:
    """Return (Q, C + 2): the requested classes, 0 for the hidden ones; all hidden classes together; void."""
    weighted = _weighted(probabilities, selection)
    classes = weighted[:, :-1]
    rest = classes[:, hidden].sum(axis=1, keepdims=True)
    requested = np.where(hidden, 0, classes)[:, : selection.requested]
    return np.concatenate([requested, rest, weighted[:, -1:]], axis=1).astype(np.float32)


class _RestoredMasks:
    """Masks at the size of the output, a strip of rows at a time: resized to the input, cropped, resized again."""

    def __init__(self, masks: np.ndarray, sizes: Sizes) -> None:
        self._masks, self.size = masks, sizes[2]
        axes = zip(masks.shape[1:], *sizes, strict=True)
        self._vertical, self._horizontal = (
            (_linear(true, target) @ _linear(count, padded)[:true]).astype(np.float32)
            for count, padded, true, target in axes
        )

    def strips(self, selected: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
        """Yield slices of rows with the logits (K, rows, W) of selected masks."""
        (height, width), masks = self.size, self._masks[selected]
        step = max(1, STRIP // (max(1, len(selected)) * width))
        for top in range(0, height, step):
            rows = slice(top, min(top + step, height))
            band = _band(self._vertical[rows])
            maps = masks[:, band]  # (K, band, n)
            wide = np.empty((*maps.shape[:2], width), dtype=np.float32)
            for left in range(0, width, COLUMNS_OF_BLOCK):
                columns = self._horizontal[left : left + COLUMNS_OF_BLOCK]
                part = _band(columns)
                wide[..., left : left + COLUMNS_OF_BLOCK] = maps[..., part] @ columns[:, part].T
            yield rows, self._vertical[rows, band] @ wide


def _linear(count: int, target: int) -> np.ndarray:
    """Return the matrix (target, count) of a linear resize with half-pixel centres."""
    position = np.maximum((np.arange(target) + 0.5) * (count / target) - 0.5, 0)
    first = np.minimum(position.astype(np.int64), count - 1)
    matrix, rows = np.zeros((target, count)), np.arange(target)
    np.add.at(matrix, (rows, first), 1 - (position - first))
    np.add.at(matrix, (rows, np.minimum(first + 1, count - 1)), position - first)
    return matrix


def _band(matrix: np.ndarray) -> slice:
    """Return the columns of a matrix that have values."""
    used = np.flatnonzero(matrix.any(axis=0))
    return slice(used[0], used[-1] + 1)


def _sigmoid(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(-np.abs(logits))
    probabilities: np.ndarray = np.where(logits >= 0, 1, exponentials) / (1 + exponentials)
    return probabilities


def _labels(probabilities: np.ndarray, masks: _RestoredMasks) -> np.ndarray:
    """Return (H, W) the class with the largest sum of class probability · mask probability over the queries."""
    labels = np.empty(masks.size, dtype=np.int64)
    for rows, logits in masks.strips(np.arange(len(probabilities))):
        votes = probabilities[:, :-1].T @ _sigmoid(logits).reshape(len(logits), -1)
        labels[rows] = votes.argmax(axis=0).reshape(logits.shape[1:])
    return labels


def _panoptic(
    probabilities: np.ndarray, masks: _RestoredMasks, isthing: np.ndarray, rules: dict[str, Any]
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Assign each pixel to the query with the highest class · mask probability; queries become segments."""
    scores, labels = probabilities.max(axis=1), probabilities.argmax(axis=1)
    kept = np.flatnonzero((labels < probabilities.shape[1] - 1) & (scores > rules["score_threshold"]))
    winner = np.zeros(masks.size, dtype=np.int64)
    if len(kept) == 0:
        return winner.astype(np.int32), []
    inside = np.zeros(masks.size, dtype=bool)
    areas, sums = np.zeros((2, len(kept)))
    for rows, logits in masks.strips(kept):
        each = _sigmoid(logits)
        winner[rows] = (scores[kept, None, None] * each).argmax(axis=0)
        of_winner = np.take_along_axis(each, winner[rows][None], axis=0)[0]
        inside[rows] = of_winner >= 0.5
        areas += (each >= 0.5).sum(axis=(1, 2))
        units = np.rint(of_winner * UNIT * inside[rows])
        sums += np.bincount(winner[rows].ravel(), units.ravel(), minlength=len(kept))
    won = np.bincount(winner.ravel(), minlength=len(kept))
    covered = np.bincount(winner[inside], minlength=len(kept))
    ids, segments = np.zeros(len(kept), dtype=np.int32), list[dict[str, Any]]()
    members: dict[int, list[int]] = {}
    stuff: dict[int, int] = {}  # class → segment id
    for index, label in enumerate(labels[kept].tolist()):
        if covered[index] == 0 or won[index] / areas[index] < rules["overlap_threshold"]:
            continue
        if label not in stuff:
            segments.append({"id": len(segments) + 1, "isthing": bool(isthing[label]), "category_id": label})
        ids[index] = stuff.get(label, len(segments))
        members.setdefault(int(ids[index]), []).append(index)
        if not isthing[label]:
            stuff[label] = int(ids[index])
    for segment in segments:
        of_segment = members[segment["id"]]
        total = (scores[kept][of_segment].astype(np.float64) * sums[of_segment]).sum()
        segment |= {"label_id": segment["category_id"], "score": float(total / (UNIT * covered[of_segment].sum()))}
    return ids[winner] * inside, segments


def _instances(
    probabilities: np.ndarray, masks: _RestoredMasks, isthing: np.ndarray, rules: dict[str, Any]
) -> DetectedInstances:
    """Return the thing masks with the highest class probability · mean mask probability, without doubled ones."""
    scores = probabilities[:, :-1]
    if rules["one_class"]:
        queries, labels = np.arange(len(scores)), scores.argmax(axis=1)
    else:
        queries, labels = (each.ravel() for each in np.indices(scores.shape))
    best = np.argsort(-scores[queries, labels], kind="stable")[: rules["detections"]]
    best = best[isthing[labels[best]]]
    queries, labels = queries[best], labels[best]
    binary = np.zeros((len(best), *masks.size), dtype=bool)
    area, total = np.zeros((2, len(best)))
    for rows, logits in masks.strips(queries):
        binary[:, rows] = logits > 0
        area += binary[:, rows].sum(axis=(1, 2))
        total += (_sigmoid(logits) * binary[:, rows]).sum(axis=(1, 2))
    final = (scores[queries, labels] * total / (area + 1e-6)).astype(np.float32)
    order = np.argsort(-final, kind="stable")
    order = order[(area[order] > 0) & (final[order] >= rules["min_score"])]
    kept = _without_doubled(binary, area, order, rules["mask_nms"])
    return DetectedInstances(binary[kept], _boxes(binary[kept]), final[kept], labels[kept])


def _without_doubled(binary: np.ndarray, area: np.ndarray, order: np.ndarray, limit: float) -> list[int]:
    """Return the indices in order, without masks whose IoU with a better one is above a limit."""
    kept: list[int] = []
    for index in order.tolist():
        better = kept if limit < 1 else []
        common = np.array([(binary[index] & binary[each]).sum() for each in better])
        if (common <= limit * (area[index] + area[better] - common)).all():
            kept.append(index)
    return kept


def _boxes(binary: np.ndarray) -> np.ndarray:
    """Return the bounding boxes (K, 4) of masks (K, H, W) that are not empty."""
    boxes = np.zeros((len(binary), 4), dtype=np.float32)
    for box, mask in zip(boxes, binary, strict=True):
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
    return boxes
