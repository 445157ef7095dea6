"""The JSON beside panoptic PNGs (COCO panoptic format): what is known of each segment, and of all pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from frozenseg.atomic import write_json


def measure_segments(ids: np.ndarray) -> dict[int, dict[str, Any]]:
    """Measure the segments of a picture.

    Args:
        ids: (H, W) integers ≥ 0; 0 counts like any other.

    Returns:
        Id → ``area`` in pixels and ``bbox``, the tight box x, y, width, height in pixels; by ascending id.
    """
    numbers, places, areas = np.unique(ids, return_inverse=True, return_counts=True)
    boxes = ndimage.find_objects(places.reshape(ids.shape) + 1)
    return {
        int(number): {
            "area": int(area),
            "bbox": [
                int(columns.start),
                int(rows.start),
                int(columns.stop - columns.start),
                int(rows.stop - rows.start),
            ],
        }
        for number, area, (rows, columns) in zip(numbers, areas, boxes, strict=True)
    }


def panoptic_entry(
    image_id: str | int, picture: str, png: str, shape: tuple[int, ...], segments: list[dict[str, Any]]
) -> dict[str, Any]:
    """Return what the JSON says of one picture.

    Args:
        image_id: of the picture.
        picture: its file's name.
        png: the name of its panoptic PNG.
        shape: height and width.
        segments: its segments_info.
    """
    return {
        "image": {"id": image_id, "file_name": picture, "width": shape[1], "height": shape[0]},
        "annotation": {"image_id": image_id, "file_name": png, "segments_info": segments},
    }


def write_panoptic_json(path: Path, categories: list[dict[str, Any]], pictures: list[dict[str, Any]]) -> None:
    """Write the JSON of a split.

    Args:
        path: the file.
        categories: its classes.
        pictures: of :func:`panoptic_entry`.
    """
    content = {
        "images": [picture["image"] for picture in pictures],
        "annotations": [picture["annotation"] for picture in pictures],
        "categories": categories,
    }
    write_json(path, content)
