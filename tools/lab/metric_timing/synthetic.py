"""Synthetic inputs of the metrics: ground truth segments, labels and objects, with predictions that partly match.

Letters: H×W image size, Q queries, C classes.
"""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from frozenseg.evaluation.class_table import ClassTable
from frozenseg.structures.instances import Instances
from frozenseg.structures.label_files import write_segment_ids
from frozenseg.structures.masks import encode_rle

SEGMENTS, QUERIES, THINGS, INSTANCES = 24, 100, 10, 100
MAX_SEGMENT_ID = 256**3 - 1


def panoptic_input(
    rng: np.random.Generator, size: tuple[int, int], stem: Path
) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """Write the PNG files of a ground truth and a prediction.

    Args:
        rng: random generator.
        size: H, W.
        stem: path of the files without their suffixes.

    Returns:
        The record of the image, the output of a model, and the path of the prediction's PNG.
    """
    sites = rng.random((SEGMENTS, 2)) * size
    ids = np.array(
        [rng.choice(MAX_SEGMENT_ID, SEGMENTS, replace=False) + 1, np.arange(1, SEGMENTS + 1)], dtype=np.int32
    )
    ground_truth = ids[0][nearest_site(sites, size)]
    predicted = ids[1][nearest_site(sites + rng.normal(0, 12, sites.shape), size)]
    paths = [stem.with_name(f"{stem.name}_{kind}.png") for kind in ("ground_truth", "predicted")]
    for path, pixels in zip(paths, (ground_truth, predicted), strict=True):
        write_segment_ids(path, pixels)
    segments = [
        {"id": int(number), "category_id": index, "area": int((ground_truth == number).sum()), "iscrowd": 0}
        for index, number in enumerate(ids[0])
        if (ground_truth == number).any()
    ]
    predicted_segments = [{"id": int(n), "category_id": i} for i, n in enumerate(ids[1]) if (predicted == n).any()]
    record = {"image_id": stem.name, "pan_seg_file_name": str(paths[0]), "segments_info": segments}
    return record, {"panoptic_seg": (torch.from_numpy(predicted), predicted_segments)}, paths[1]


def semantic_input(
    rng: np.random.Generator, classes: int, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Return logits (Q, C + 1), mask probabilities (Q, H, W), and ground truth labels (H, W)."""
    regions = nearest_site(rng.random((QUERIES, 2)) * size, size)
    query_classes = rng.integers(0, classes, QUERIES)
    logits = torch.from_numpy(rng.normal(0, 1, (QUERIES, classes + 1)).astype(np.float32))
    logits[torch.arange(QUERIES), torch.from_numpy(query_classes)] += 6
    probabilities = torch.full((QUERIES, *size), 0.05)
    probabilities.scatter_(0, torch.from_numpy(regions)[None], 0.9)
    labels = query_classes[regions].astype(np.uint16)
    labels[: size[0] // 8] = rng.integers(0, classes)  # a part of the predictions is wrong
    return logits, probabilities, labels


def instance_input(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[list[tuple[int, np.ndarray]], dict[str, Any]]:
    """Return ground truth objects (class and mask), and predicted instances of which some match."""
    y, x = np.mgrid[: size[0], : size[1]]
    ellipses = rng.random((INSTANCES, 4)) * [*size, size[0] / 6, size[1] / 6] + [0, 0, 8, 8]
    masks = np.stack([((y - a) / c) ** 2 + ((x - b) / d) ** 2 < 1 for a, b, c, d in ellipses])
    labels = rng.integers(0, THINGS, INSTANCES)
    objects = [(int(labels[i]), np.roll(masks[i], int(rng.integers(0, 6)), axis=1)) for i in range(0, INSTANCES, 12)]
    instances = Instances(
        size,
        pred_masks=torch.from_numpy(masks),
        scores=torch.from_numpy(rng.random(INSTANCES).astype(np.float32)),
        pred_classes=torch.from_numpy(labels),
    )
    return objects, {"instances": instances}


def coco_annotations(images: list[list[tuple[int, np.ndarray]]], size: tuple[int, int]) -> dict[str, Any]:
    """Return COCO instance annotations of the objects (class and mask) of each image."""
    annotations: list[dict[str, Any]] = []
    for image, objects in enumerate(images, start=1):
        for label, mask in objects:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": label + 1, "iscrowd": 0}
                | {"segmentation": encode_rle(mask[None])[0], "area": int(mask.sum()), "bbox": [0, 0, 1, 1]}
            )
    records = [{"id": image, "height": size[0], "width": size[1]} for image in range(1, len(images) + 1)]
    categories = [{"id": index + 1, "name": str(index)} for index in range(THINGS)]
    return {"images": records, "annotations": annotations, "categories": categories}


def nearest_site(sites: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the index of the nearest site of each pixel, (H, W) int64, with wavy borders."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    y, x = y + 6 * np.sin(x / 17), x + 6 * np.cos(y / 13)
    closest, nearest = np.full(size, np.inf, dtype=np.float32), np.zeros(size, dtype=np.int64)
    for index, (row, column) in enumerate(sites.astype(np.float32)):
        distance = (y - row) ** 2 + (x - column) ** 2
        nearest[distance < closest] = index
        np.minimum(closest, distance, out=closest)
    return nearest


def class_table(classes: int) -> ClassTable:
    """Return a table of thing classes."""
    return ClassTable(tuple(map(str, range(classes))), np.ones(classes, dtype=bool), {})
