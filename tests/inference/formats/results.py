"""A small result and its images, for the tests of output formats."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from frozenseg.inference.formats.output_format import FormatOptions, OutputClasses, OutputImage, OutputRecord
from frozenseg.inference.formats.registry import build_formats
from frozenseg.inference.result import Result
from frozenseg.structures.instances import Instances
from frozenseg.structures.masks import boxes_around
from frozenseg.vocabulary import Vocabulary

VOCABULARY = Vocabulary.parse("cat,kitten; dog <&>; grass", stuff=["grass"])
HEIGHT, WIDTH = 12, 16
CLASSES = OutputClasses(VOCABULARY)
NAMES = ("a.jpg", "sub/b.jpg", "sub/ünï & <b>.png")


def small_result(shift: int = 0) -> Result:
    """A cat with a hole, a dog of one pixel, a second cat of two parts that touch at a corner, and grass below."""
    ids = np.zeros((HEIGHT, WIDTH), dtype=np.int32)
    ids[8:] = 3
    ids[1:6, 1:7] = 1
    ids[3, 3:5] = 3
    ids[10, 15 - shift] = 2
    ids[1:3, 10:12] = ids[3:5, 12:14] = 7
    segments = [
        {"id": 1, "isthing": True, "category_id": 0, "label_id": 0, "score": 0.9},
        {"id": 2, "isthing": True, "category_id": 1, "label_id": 1, "score": 0.25},
        {"id": 3, "isthing": False, "category_id": 2, "label_id": 2, "score": 0.75},
        {"id": 7, "isthing": True, "category_id": 0, "label_id": 0, "score": 0.5},
    ]
    masks = torch.from_numpy(np.stack([ids == 1, ids == 7, (ids == 1) | (ids == 2)]))
    instances = Instances(
        (HEIGHT, WIDTH),
        pred_masks=masks,
        pred_boxes=boxes_around(masks),
        scores=torch.tensor([0.9, 0.5, 0.125]),
        pred_classes=torch.tensor([0, 0, 1]),
    )
    image = Image.fromarray(np.arange(HEIGHT * WIDTH * 3, dtype=np.uint8).reshape(HEIGHT, WIDTH, 3))
    semantic = torch.where(torch.from_numpy(ids == 0), 2, torch.from_numpy(np.array([2, 0, 1, 2, 0, 0, 0, 0])[ids]))
    return Result(image, VOCABULARY, (torch.from_numpy(ids), segments), instances, semantic)


def output_image(name: str, path: Path | None = None) -> OutputImage:
    return OutputImage(name, name.rpartition(".")[0], WIDTH, HEIGHT, path)


def write_all(
    names: Sequence[str], folder: Path, order: Sequence[int] = (0, 1, 2), options: FormatOptions | None = None
) -> list[Path]:
    """Write three images in some order; returns what the formats offer to open."""
    opened = []
    for each in build_formats(names, folder, CLASSES, options):
        records: dict[int, OutputRecord] = {}
        for index in order:
            records[index] = each.write(output_image(NAMES[index]), small_result(index))
        opened += each.finish(records[index] for index in range(3))
    return opened
