"""Lines of COCO result files: one per predicted instance, with category, run-length encoded mask and score."""

from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from frozenseg.errors import DataError
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import encode_rle
from frozenseg.structures.record import ImageId
from frozenseg.structures.rle import read_rle
from frozenseg.structures.rle_batch import irregular_rles

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


def checked_lines(lines: Sequence[ResultLine], sizes: Mapping[ImageId, tuple[int, int] | None]) -> list[ResultLine]:
    """Return the lines with masks that the evaluation packages may read: compressed run lengths of the image's size.

    Args:
        lines: with ``image_id`` among the images, and ``segmentation``.
        sizes: height and width of each image; None if they are not known.

    Raises:
        DataError: run lengths are damaged or of another size; the message has the number of the line.
    """
    checked = list(lines)
    masks, of_lines = [line["segmentation"] for line in lines], [sizes[line["image_id"]] for line in lines]
    for index in irregular_rles(masks, of_lines):
        try:
            runs = read_rle(masks[index], of_lines[index])
        except ValueError as error:
            raise DataError(
                f"Prediction {index + 1}, for image {lines[index]['image_id']}, has an invalid mask: {error}."
            ) from error
        checked[index] = {**lines[index], "segmentation": runs.compressed()}
    return checked
