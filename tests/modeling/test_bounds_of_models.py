"""Models at the ends of the bounds of their keys: they are built, train with finite losses, and predict."""

import math
from typing import Any

import pytest
import torch

from frozenseg.modeling.build import build_model
from tests.tiny import TRAINING, tiny_config, training_batch

DECODER = "MODEL.MASK_FORMER."
HEAD = "MODEL.SEM_SEG_HEAD."
SMALLEST = [
    f"{HEAD}CONVS_DIM", 4, f"{HEAD}MASK_DIM", 4, f"{DECODER}HIDDEN_DIM", 4, f"{DECODER}NHEADS", 1,
    f"{HEAD}DEFORMABLE_TRANSFORMER_ENCODER_N_HEADS", 1, f"{HEAD}DEFORMABLE_TRANSFORMER_ENCODER_N_POINTS", 1,
    f"{HEAD}DEFORMABLE_TRANSFORMER_ENCODER_DIM_FEEDFORWARD", 1, f"{HEAD}TRANSFORMER_ENC_LAYERS", 0,
    f"{DECODER}NUM_OBJECT_QUERIES", 1, f"{DECODER}DIM_FEEDFORWARD", 1, f"{DECODER}DEC_LAYERS", 1,
    f"{DECODER}TRAIN_NUM_POINTS", 1, f"{DECODER}OVERSAMPLE_RATIO", 1.0, f"{DECODER}SIZE_DIVISIBILITY", 1,
    "TEST.DETECTIONS_PER_IMAGE", 1,
]  # fmt: skip
ZEROS = [
    f"{DECODER}CLASS_WEIGHT", 0.0, f"{DECODER}MASK_WEIGHT", 0.0, f"{DECODER}DICE_WEIGHT", 0.0,
    f"{DECODER}NO_OBJECT_WEIGHT", 0.0, f"{DECODER}IMPORTANCE_SAMPLE_RATIO", 0.0, f"{DECODER}DEEP_SUPERVISION", False,
    f"{DECODER}TEST.OVERLAP_THRESHOLD", 0.0, f"{DECODER}TEST.OBJECT_MASK_THRESHOLD", 0.0,
    f"{DECODER}SIZE_DIVISIBILITY", 7, f"{DECODER}NUM_OBJECT_QUERIES", 1, "TEST.DETECTIONS_PER_IMAGE", 100_000,
]  # fmt: skip
ONES = [
    f"{DECODER}NO_OBJECT_WEIGHT", 1e6, f"{DECODER}IMPORTANCE_SAMPLE_RATIO", 1.0, f"{DECODER}OVERSAMPLE_RATIO", 1.0,
    f"{DECODER}TEST.OVERLAP_THRESHOLD", 1.0, f"{DECODER}TEST.OBJECT_MASK_THRESHOLD", 1.0, f"{DECODER}DROPOUT", 1.0,
    "MODEL.CLIP.GEOMETRIC_ENSEMBLE_ALPHA", 1.0, "MODEL.CLIP.GEOMETRIC_ENSEMBLE_BETA", 1.0,
    f"{DECODER}SIZE_DIVISIBILITY", 96, "MODEL.PIXEL_STD", [0.001, 0.001, 0.001],
]  # fmt: skip
CASES: dict[str, list[Any]] = {"smallest": SMALLEST, "zeros": ZEROS, "ones": ONES}


@pytest.mark.parametrize("case", CASES)
def test_a_model_at_the_ends_of_its_bounds_trains_and_predicts(case: str) -> None:
    torch.manual_seed(0)
    model = build_model(tiny_config("FCCLIP", *CASES[case]), TRAINING)
    batch = training_batch(((64, 48), (33, 65)))
    losses = model.train()(batch)
    assert all(math.isfinite(loss.item()) for loss in losses.values()), losses
    sum(losses.values()).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
    with torch.no_grad():
        outputs = model.eval()(batch)
    for element, output in zip(batch, outputs, strict=True):
        assert output["sem_seg"].shape[-2:] == (element["height"], element["width"])
        assert output["sem_seg"].isfinite().all()
        assert output["panoptic_seg"][0].shape == (element["height"], element["width"])
        assert len(output["instances"]) <= 100


def test_frozenseg_without_layers_trains() -> None:
    model = build_model(tiny_config("FrozenSeg", f"{DECODER}DEC_LAYERS", 1), TRAINING)
    assert all(math.isfinite(loss.item()) for loss in model.train()(training_batch()).values())
