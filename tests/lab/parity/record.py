"""Recorder of the small goldens in ``tests/data/parity``: ``PYTHONPATH=tools python -m tests.lab.parity.record``.

They are computed by this model and detect changes of its outputs. Its correctness is shown by the goldens of the
reference, and by the formulas in NumPy in the folder ``formulas``, which the tests compare with these goldens too.
Record them again only with a reason, and state it in the commit.
"""

import zlib
from pathlib import Path
from typing import Any

from torch import Tensor

from lab.parity.goldens import Arrays, Golden
from lab.parity.inputs import evaluate_recipe
from lab.parity.models import Models
from lab.parity.record import record, write_golden

FOLDER = Path(__file__).parents[2] / "data/parity"
CLIP = {
    "CLIP_PRETRAINED_WEIGHTS": "random",
    "EMBED_DIM": 0,
    "GEOMETRIC_ENSEMBLE_ALPHA": 0.4,
    "GEOMETRIC_ENSEMBLE_BETA": 0.8,
}
MASK_FORMER = {
    "HIDDEN_DIM": 64,
    "NHEADS": 8,
    "DIM_FEEDFORWARD": 64,
    "DEC_LAYERS": 7,
    "NUM_OBJECT_QUERIES": 20,
    "TRAIN_NUM_POINTS": 256,
    "TEST": {"OVERLAP_THRESHOLD": 0.1},
}
SEM_SEG_HEAD = {
    "CONVS_DIM": 64,
    "MASK_DIM": 64,
    "TRANSFORMER_ENC_LAYERS": 2,
    "DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD": 64,
}
WORDS = {
    "train_classes": ["person,child", "car", "tree", "sky"],
    "train_thing": [1, 1, 0, 0],
    "test_classes": ["car,automobile", "boat", "grass,lawn", "sky", "cat"],
    "test_thing": [1, 1, 0, 0, 1],
}
RELEASED = {"SAM_ENCODER_LEVELS": 3, "SAM_READ_ACROSS_IMAGES": True}
RIGHT = {"SAM_ENCODER_LEVELS": 1, "SAM_READ_ACROSS_IMAGES": False}


def describe(project: str, clip: str, head: dict[str, Any], masks: dict[str, Any], images: list[Any]) -> dict[str, Any]:
    """Return what a case's JSON says before it has been run."""
    return {
        "project": project,
        **WORDS,
        "config": {
            "CLIP": {**CLIP, "CLIP_MODEL_NAME": clip, "ENSEMBLE_ON_VALID_MASK": clip == "toy_resnet"},
            "MASK_FORMER": {**MASK_FORMER, **masks},
            "SEM_SEG_HEAD": {**SEM_SEG_HEAD, **head},
            "TEST": {"DETECTIONS_PER_IMAGE": 10},
            "PIXEL_MEAN": [122.7709383, 116.7460125, 104.09373615],
            "PIXEL_STD": [68.5005327, 66.6321579, 70.32316305],
            "SAM_NAME": "vit_toy" if project == "frozenseg" else None,
        },
        "images": images,
    }


def record_of(seed: int, size: tuple[int, int], wanted: tuple[int, int]) -> dict[str, Any]:
    """Return an image of a segmentation: made with a size, its outputs wanted at another."""
    recipe = f"make_image({seed}, {size[0]}, {size[1]})"
    return {"recipe": recipe, "height": wanted[0], "width": wanted[1], "crc32": crc(evaluate_recipe(recipe))}


def scene(seed: int, side: int, targets: int) -> dict[str, Any]:
    """Return an image of a training step, with as many targets."""
    image = f"make_image({seed}, {side}, {side})"
    masks = f"make_blob_masks({seed + 1}, {targets}, {side}, {side})"
    labels = f"make_labels({seed + 2}, {targets}, {len(WORDS['train_classes'])})"
    return {"image": image, "labels": labels, "masks": masks, "crc32": crc(evaluate_recipe(image))}


def crc(image: Tensor) -> int:
    """Return the checksum of an image's bytes."""
    return zlib.crc32(image.numpy().tobytes())


def cases() -> dict[str, dict[str, Any]]:
    """Return every case by name."""
    two = [record_of(11, (64, 96), (80, 110)), record_of(12, (50, 70), (50, 70))]
    injectors = {"SAM_QUERY_FUSE_LAYER": 1, "SAM_FEATURE_FUSE_LAYER": 2}
    return {
        "tiny_frozenseg_released": describe("frozenseg", "toy_convnext", RELEASED, {}, two),
        "tiny_frozenseg": describe("frozenseg", "toy_convnext", RIGHT, injectors, two[:1]),
        "tiny_fcclip_resnet": describe("fcclip", "toy_resnet", {}, {}, two),
        "tiny_training": describe("frozenseg", "toy_convnext", RIGHT, {}, [scene(21, 128, 3), scene(31, 128, 0)]),
    }


def golden_of(name: str) -> Golden:
    """Run a case and return it as a golden."""
    return record(Golden(name, cases()[name], Arrays({})), Models())


if __name__ == "__main__":
    for case in cases():
        write_golden(FOLDER / f"{case}.json", golden_of(case))
