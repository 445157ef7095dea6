"""Segments of a result as data: id, class, score, area and box of each.

Letters: H×W the image, n segments or instances.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from frozenseg.structures.instances import Instances
from frozenseg.vocabulary import Vocabulary

SCORE_DIGITS = 4  # of scores in files: further ones depend on the hardware and on the size of the batch


class Segment(NamedTuple):
    """A segment of a panoptic map, or an instance.

    Attributes:
        id: pixel value in the panoptic map, from 1; of an instance its number, from 1.
        category_id: index of its class in the vocabulary, as in Detectron2's ``segments_info``.
        label_id: the same index, under the name that it has in transformers' ``segments_info``.
        name: first name of its class.
        score: class probability · mask probability, mean over its pixels, 0-1.
        area: pixels.
        bbox: x, y, width, height, pixels.
        isthing: True for a countable class.
    """

    id: int
    category_id: int
    label_id: int
    name: str
    score: float
    area: int
    bbox: tuple[int, int, int, int]
    isthing: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the segment for JSON, its score rounded."""
        return {**self._asdict(), "score": round(self.score, SCORE_DIGITS), "bbox": list(self.bbox)}


def panoptic_segments(ids: np.ndarray, infos: Sequence[Mapping[str, Any]], vocabulary: Vocabulary) -> list[Segment]:
    """Return the segments of a panoptic map, in the order of their infos; those without pixels are left out.

    Args:
        ids: (H, W) integers.
        infos: ``id``, ``category_id`` and ``score`` (1 if it is missing) of each segment.
        vocabulary: of the result.
    """
    from scipy.ndimage import find_objects  # slow to import

    largest = max((int(info["id"]) for info in infos), default=0)
    areas = np.bincount(ids.ravel(), minlength=largest + 1)
    boxes = find_objects(ids, max_label=largest) if largest else []
    segments = []
    for info in infos:
        number, label = int(info["id"]), int(info["category_id"])
        box = boxes[number - 1]
        if box is None:
            continue
        rows, columns = box
        bbox = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        score, area = float(info.get("score", 1.0)), int(areas[number])
        isthing = vocabulary.isthing[label]
        segments.append(Segment(number, label, label, vocabulary.names[label], score, area, bbox, isthing))
    return segments


def instance_segments(instances: Instances, vocabulary: Vocabulary) -> list[Segment]:
    """Return the instances as segments, in their order; those without pixels are left out.

    Args:
        instances: with ``pred_masks`` (n, H, W) bool, ``pred_boxes`` (n, 4), ``scores`` (n,), ``pred_classes`` (n,).
        vocabulary: of the result.
    """
    areas = instances.pred_masks.flatten(1).sum(dim=1).tolist()
    boxes = instances.pred_boxes.round().int().tolist()
    rows = zip(instances.pred_classes.tolist(), instances.scores.tolist(), areas, boxes, strict=True)
    return [
        Segment(
            id=number,
            category_id=label,
            label_id=label,
            name=vocabulary.names[label],
            score=score,
            area=area,
            bbox=(left, top, right - left, bottom - top),
            isthing=vocabulary.isthing[label],
        )
        for number, (label, score, area, (left, top, right, bottom)) in enumerate(rows, start=1)
        if area
    ]
