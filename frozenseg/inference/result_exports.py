"""Results in the data structures of other projects: COCO, supervision, Detectron2, transformers and NumPy.

Letters: H×W the image, n segments or instances.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from frozenseg.errors import ConfigError
from frozenseg.inference.segments import Segment
from frozenseg.structures.instances import Instances
from frozenseg.structures.palette import Colour
from frozenseg.vocabulary import Vocabulary


@dataclass(frozen=True, eq=False)
class Boxes:
    """Boxes as Detectron2 holds them.

    Attributes:
        tensor: (n, 4) float32 x0, y0, x1, y1.
    """

    tensor: Tensor

    def __len__(self) -> int:
        """Return n."""
        return len(self.tensor)


class LabelledMask(NamedTuple):
    """A segment as an image.

    Attributes:
        label: name of its class.
        score: 0-1.
        mask: (W, H) ``L``, 255 inside.
    """

    label: str
    score: float
    mask: Image.Image


def coco_categories(vocabulary: Vocabulary, ids: Sequence[int], colours: Sequence[Colour]) -> list[dict[str, Any]]:
    """Return the categories of a COCO file, with ``isthing`` and colour as in its panoptic format."""
    rows = zip(ids, vocabulary.classes, vocabulary.isthing, colours, strict=True)
    return [
        {
            "id": number,
            "name": names[0],
            "supercategory": "thing" if isthing else "stuff",
            "isthing": int(isthing),
            "color": list(colour),
            **({"synonyms": list(names[1:])} if len(names) > 1 else {}),
        }
        for number, names, isthing, colour in rows
    ]


def coco_annotations(
    segments: Sequence[Segment], encoded: Sequence[dict[str, Any]], ids: Sequence[int]
) -> list[dict[str, Any]]:
    """Return COCO annotations of segments.

    Args:
        segments: n segments.
        encoded: their masks, ``{"size": [H, W], "counts": str}``.
        ids: category id of each class.
    """
    return [
        {**segment.as_dict(), "category_id": ids[segment.label_id], "segmentation": mask, "iscrowd": 0}
        for segment, mask in zip(segments, encoded, strict=True)
    ]


def supervision_detections(segments: Sequence[Segment], masks: np.ndarray) -> Any:
    """Return ``supervision.Detections``.

    Args:
        segments: n segments.
        masks: (n, H, W) bool.

    Raises:
        ConfigError: supervision is not installed.
    """
    try:
        import supervision
    except ImportError as error:
        install = "pip install 'frozenseg[supervision]'"
        raise ConfigError(f"to_supervision needs supervision ({error}): {install}.") from error
    boxes = np.array([segment.bbox for segment in segments], dtype=np.float32).reshape(-1, 4)
    boxes[:, 2:] += boxes[:, :2]
    return supervision.Detections(
        xyxy=boxes,
        mask=masks,
        confidence=np.array([segment.score for segment in segments], dtype=np.float32),
        class_id=np.array([segment.label_id for segment in segments], dtype=int),
        data={"class_name": np.array([segment.name for segment in segments], dtype=str)},
    )


def detectron2_instances(instances: Instances) -> Instances:
    """Return instances whose boxes have a ``tensor``, as in Detectron2."""
    fields = {**instances.get_fields(), "pred_boxes": Boxes(instances.pred_boxes)}
    return Instances(instances.image_size, **fields)


def transformers_segmentation(panoptic: tuple[Tensor, list[dict[str, Any]]]) -> dict[str, Any]:
    """Return the output of ``post_process_panoptic_segmentation``: (H, W) int32 ``segmentation``, ``segments_info``."""
    ids, infos = panoptic
    segments = [
        {"id": info["id"], "label_id": info["category_id"], "was_fused": not info["isthing"], "score": info["score"]}
        for info in infos
    ]
    return {"segmentation": ids.to(torch.int32), "segments_info": segments}


def segment_arrays(segments: Sequence[Segment]) -> dict[str, np.ndarray]:
    """Return the fields of n segments as arrays: ``segment_ids``, ``segment_classes``, … without Python objects."""
    return {
        "segment_ids": np.array([segment.id for segment in segments], dtype=np.int32),
        "segment_classes": np.array([segment.label_id for segment in segments], dtype=np.int64),
        "segment_scores": np.array([segment.score for segment in segments], dtype=np.float32),
        "segment_areas": np.array([segment.area for segment in segments], dtype=np.int64),
        "segment_boxes": np.array([segment.bbox for segment in segments], dtype=np.int32).reshape(-1, 4),
    }


def instance_arrays(instances: Instances) -> Mapping[str, np.ndarray]:
    """Return the fields of n instances as arrays: ``instance_masks`` (n, H, W) bool, boxes x0, y0, x1, y1, …."""
    return {
        "instance_masks": instances.pred_masks.cpu().numpy(),
        "instance_boxes": instances.pred_boxes.cpu().numpy(),
        "instance_scores": instances.scores.cpu().numpy(),
        "instance_classes": instances.pred_classes.cpu().numpy(),
    }
