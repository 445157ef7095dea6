"""Made-up pictures for timing: true segments, labels and objects, and what a model might say of them.

Letters: H×W the picture, Q queries, C classes.
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
LARGEST = 256**3 - 1  # segment id


def panoptic_picture(
    rng: np.random.Generator, size: tuple[int, int], stem: Path
) -> tuple[dict[str, Any], dict[str, Any], Path]:
    """Write the truth and a guess; returns a record, the model's output, and the guess's PNG."""
    sites = rng.random((SEGMENTS, 2)) * size
    ids = np.array([rng.choice(LARGEST, SEGMENTS, replace=False) + 1, np.arange(1, SEGMENTS + 1)], dtype=np.int32)
    truth = ids[0][nearest_site(sites, size)]
    guess = ids[1][nearest_site(sites + rng.normal(0, 12, sites.shape), size)]
    paths = [stem.with_name(f"{stem.name}_{kind}.png") for kind in ("truth", "guess")]
    for path, pixels in zip(paths, (truth, guess), strict=True):
        write_segment_ids(path, pixels)
    segments = [
        {"id": int(number), "category_id": index, "area": int((truth == number).sum()), "iscrowd": 0}
        for index, number in enumerate(ids[0])
        if (truth == number).any()
    ]
    guesses = [{"id": int(n), "category_id": i} for i, n in enumerate(ids[1]) if (guess == n).any()]
    record = {"image_id": stem.name, "pan_seg_file_name": str(paths[0]), "segments_info": segments}
    return record, {"panoptic_seg": (torch.from_numpy(guess), guesses)}, paths[1]


def semantic_picture(
    rng: np.random.Generator, classes: int, size: tuple[int, int]
) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    """Return (Q, C + 1) logits, (Q, H, W) mask probabilities, and (H, W) true labels."""
    regions = nearest_site(rng.random((QUERIES, 2)) * size, size)
    of_query = rng.integers(0, classes, QUERIES)
    logits = torch.from_numpy(rng.normal(0, 1, (QUERIES, classes + 1)).astype(np.float32))
    logits[torch.arange(QUERIES), torch.from_numpy(of_query)] += 6
    inside = torch.full((QUERIES, *size), 0.05)
    inside.scatter_(0, torch.from_numpy(regions)[None], 0.9)
    truth = of_query[regions].astype(np.uint16)
    truth[: size[0] // 8] = rng.integers(0, classes)  # some of it is wrong
    return logits, inside, truth


def instance_picture(
    rng: np.random.Generator, size: tuple[int, int]
) -> tuple[list[tuple[int, np.ndarray]], dict[str, Any]]:
    """Return true objects, and predictions of which some fit."""
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


def coco_annotations(truth: list[list[tuple[int, np.ndarray]]], size: tuple[int, int]) -> dict[str, Any]:
    """Return COCO instance annotations of objects, an image each list."""
    annotations: list[dict[str, Any]] = []
    for image, objects in enumerate(truth, start=1):
        for label, mask in objects:
            annotations.append(
                {"id": len(annotations) + 1, "image_id": image, "category_id": label + 1, "iscrowd": 0}
                | {"segmentation": encode_rle(mask[None])[0], "area": int(mask.sum()), "bbox": [0, 0, 1, 1]}
            )
    images = [{"id": image, "height": size[0], "width": size[1]} for image in range(1, len(truth) + 1)]
    categories = [{"id": index + 1, "name": str(index)} for index in range(THINGS)]
    return {"images": images, "annotations": annotations, "categories": categories}


def nearest_site(sites: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return the nearest site of each pixel, (H, W) int64, with wavy borders."""
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float32)
    y, x = y + 6 * np.sin(x / 17), x + 6 * np.cos(y / 13)
    closest, nearest = np.full(size, np.inf, dtype=np.float32), np.zeros(size, dtype=np.int64)
    for index, (row, column) in enumerate(sites.astype(np.float32)):
        distance = (y - row) ** 2 + (x - column) ** 2
        nearest[distance < closest] = index
        np.minimum(closest, distance, out=closest)
    return nearest


def class_table(classes: int) -> ClassTable:
    """Return classes that are things."""
    return ClassTable(tuple(map(str, range(classes))), np.ones(classes, dtype=bool), {})
