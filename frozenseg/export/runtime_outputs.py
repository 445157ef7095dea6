"""Outputs of the runtime for one image.

Letters: K instances, H×W the image.
"""

from typing import Any, NamedTuple

import numpy as np


class DetectedInstances(NamedTuple):
    """Instances of an image, the highest score first."""

    masks: np.ndarray  # (K, H, W) bool, none of them empty
    scores: np.ndarray  # (K,) float32
    classes: np.ndarray  # (K,) int64

    @property
    def boxes(self) -> np.ndarray:
        """Bounding boxes of the masks, (K, 4) float32 x0, y0, x1, y1."""
        boxes = np.zeros((len(self.masks), 4), dtype=np.float32)
        for box, mask in zip(boxes, self.masks, strict=True):
            rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
        return boxes


class SegmentedImage(NamedTuple):
    """Outputs for one image."""

    panoptic: np.ndarray  # (H, W) int32 segment ids, 0 for none
    segments: list[dict[str, Any]]  # id, isthing, category_id, label_id, score
    instances: DetectedInstances
    semantic: np.ndarray  # (H, W) int64 class, -1 for none
