"""JSON file of a split in COCO panoptic format, with the areas and boxes of its segments."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from frozenseg.atomic import write_json


def measure_segments(ids: np.ndarray) -> dict[int, dict[str, Any]]:
    """Measure the segments of an image.

    Args:
        ids: (H, W) integers ≥ 0; 0 is a segment like any other.

    Returns:
        Segment id, ascending → ``area`` in pixels and ``bbox``, the tight box x, y, width, height in pixels.
    """
    unique_ids, indices, areas = np.unique(ids, return_inverse=True, return_counts=True)
    boxes = ndimage.find_objects(indices.reshape(ids.shape) + 1)
    return {
        int(segment_id): {
            "area": int(area),
            "bbox": [
                int(columns.start),
                int(rows.start),
                int(columns.stop - columns.start),
                int(rows.stop - rows.start),
            ],
        }
        for segment_id, area, (rows, columns) in zip(unique_ids, areas, boxes, strict=True)
    }


def panoptic_entry(
    image_id: str | int, file_name: str, png: str, shape: tuple[int, ...], segments: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return the ``image`` and the ``annotation`` of one image.

    Args:
        image_id: id of the image.
        file_name: of the image.
        png: name of its panoptic PNG.
        shape: height and width.
        segments: its segments_info.
    """
    return {
        "image": {"id": image_id, "file_name": file_name, "width": shape[1], "height": shape[0]},
        "annotation": {"image_id": image_id, "file_name": png, "segments_info": segments},
    }


def write_panoptic_json(path: Path, categories: list[dict[str, Any]], entries: list[dict[str, Any]]) -> None:
    """Write the JSON file of a split.

    Args:
        path: the file.
        categories: its categories.
        entries: one per image, see :func:`panoptic_entry`.
    """
    content = {
        "images": [entry["image"] for entry in entries],
        "annotations": [entry["annotation"] for entry in entries],
        "categories": categories,
    }
    write_json(path, content)
