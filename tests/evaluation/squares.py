"""Masks whose overlaps can be counted: squares, as annotations and as predictions."""

import numpy as np
import torch

from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import encode_rle

SIZE = 120


def square(left, top, side):
    mask = np.zeros((SIZE, SIZE), dtype=bool)
    mask[top : top + side, left : left + side] = True
    return mask


def annotation(number, image, category, mask):
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "segmentation": encode_rle(mask[None])[0],
        "area": int(mask.sum()),
        "bbox": [0, 0, SIZE, SIZE],
        "iscrowd": 0,
    }


def predict(*instances):
    masks, labels, scores = zip(*instances, strict=True) if instances else ((), (), ())
    return [
        {
            "instances": Instances(
                (SIZE, SIZE),
                pred_masks=torch.from_numpy(np.array(masks).reshape(-1, SIZE, SIZE)).bool(),
                scores=torch.tensor(scores, dtype=torch.float32),
                pred_classes=torch.tensor(labels, dtype=torch.int64),
            )
        }
    ]
