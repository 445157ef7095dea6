"""Lines of COCO result files: one per predicted instance, with category, run-length encoded mask and score."""

from collections.abc import Mapping
from typing import Any, TypedDict

from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import encode_rle
from frozenseg.structures.record import ImageId

ResultLine = dict[str, Any]  # image_id, category_id, segmentation, score


class ImageLines(TypedDict):
    """Result lines of one image; the list may be empty."""

    image_id: ImageId
    lines: list[ResultLine]


def encode_result_lines(image: ImageId, instances: Instances, dataset_ids: Mapping[int, int]) -> list[ResultLine]:
    """Encode the instances of an image as lines of a COCO result file.

    Args:
        image: ``image_id`` of the image.
        instances: with ``pred_masks``, ``pred_classes`` and ``scores``.
        dataset_ids: contiguous class id → category id of the annotations.
    """
    masks = encode_rle(instances.pred_masks.cpu().numpy())
    labels, scores = instances.pred_classes.tolist(), instances.scores.tolist()
    return [
        {"image_id": image, "category_id": dataset_ids[label], "segmentation": mask, "score": score}
        for label, mask, score in zip(labels, masks, scores, strict=True)
    ]
