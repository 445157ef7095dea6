"""Roles of the keys: the sets of names that the engine derives from them, compared with hand-kept lists of before."""

import pytest

from frozenseg.config import get_cfg
from frozenseg.config.defaults import KEY_BY_NAME, KEYS, names_with_role

NAMES = {key.name for key in KEYS}
# Lists of the version before roles: keys that a resumed run may change without a warning …
MAY_DIFFER = {
    "OUTPUT_DIR", "LOG_PERIOD", "LOG_PICTURE_PERIOD", "LOG_WANDB_PROJECT", "MODEL.WEIGHTS",
    "MODEL.ALLOW_PARTIAL_WEIGHTS", "MODEL.DEVICE", "MODEL.SEM_SEG_HEAD.RECOMPUTE", "DATALOADER.NUM_WORKERS",
    "SOLVER.IMAGES_AT_ONCE", "SOLVER.MAX_BAD_STEPS", "SOLVER.KEEP_CHECKPOINTS.LAST", "SOLVER.KEEP_CHECKPOINTS.EVERY",
    "SOLVER.KEEP_CHECKPOINTS.BEST", "TEST.EXPECTED_RESULTS", "TEST.SAM_MASK_CACHE", "TEST.SAM_MASK_CACHE_GIB",
}  # fmt: skip
# … keys that an interrupted evaluation had to share with the one that resumes it …
COUNTED_SECTIONS = ("MODEL.", "INPUT.", "DATASETS.", "TEST.")
NOT_COUNTED = {"DATASETS.TEST", "TEST.COMPARE", "TEST.EVAL_PERIOD", "TEST.SAVE_PREDICTIONS", "TEST.SAVE_IMAGE_COUNTS"}
# … and keys without effect under Detectron2's trainer.
WITHOUT_EFFECT = {
    "LOG_PICTURE_PERIOD", "LOG_WANDB_PROJECT", "SOLVER.AMP.DTYPE", "SOLVER.MAX_BAD_STEPS",
    "SOLVER.KEEP_CHECKPOINTS.LAST", "SOLVER.KEEP_CHECKPOINTS.EVERY", "SOLVER.KEEP_CHECKPOINTS.BEST", "TEST.COMPARE",
    "TEST.SAVE_PREDICTIONS", "MODEL.PRECISION", "MODEL.COMPILE", "MODEL.INITIAL_VALUES_BY_NAME",
    "TEST.SAVE_IMAGE_COUNTS",
}  # fmt: skip
# Differences from these lists, with their reasons.
NO_LONGER_REPORTED_ON_RESUME = {
    "CUDNN_BENCHMARK": "selects among algorithms by speed",
    "MODEL.TEXT_CACHE_DIR": "a cache returns what would be computed",
    "DATASETS.TEST": "selects benchmarks; nothing that is learned depends on them",
    "TEST.COMPARE": "adds published results to the report",
    "TEST.EVAL_PERIOD": "an evaluation leaves the random states as they were",
    "TEST.SAVE_PREDICTIONS": "writes files",
    "TEST.SAVE_IMAGE_COUNTS": "writes files",
    "SOLVER.CHECKPOINT_PERIOD": "writes files",
    "MODEL.COMPILE": "the same operations in other kernels",
}
NO_LONGER_COUNTED_FOR_RESULTS = {
    "MODEL.TEXT_CACHE_DIR": "a cache returns what would be computed",
    "MODEL.COMPILE": "the same operations in other kernels",
    # act on training only; the hash of the weights, which is compared, stands for them
    "MODEL.INITIAL_VALUES_BY_NAME": "training",
    "MODEL.MASK_FORMER.DROPOUT": "training",
    "MODEL.MASK_FORMER.DEEP_SUPERVISION": "training",
    "MODEL.MASK_FORMER.NO_OBJECT_WEIGHT": "training",
    "MODEL.MASK_FORMER.CLASS_WEIGHT": "training",
    "MODEL.MASK_FORMER.MASK_WEIGHT": "training",
    "MODEL.MASK_FORMER.DICE_WEIGHT": "training",
    "MODEL.MASK_FORMER.TRAIN_NUM_POINTS": "training",
    "MODEL.MASK_FORMER.OVERSAMPLE_RATIO": "training",
    "MODEL.MASK_FORMER.IMPORTANCE_SAMPLE_RATIO": "training",
    "INPUT.DATASET_MAPPER_NAME": "training",
    "INPUT.IMAGE_SIZE": "training",
    "INPUT.MIN_SCALE": "training",
    "INPUT.MAX_SCALE": "training",
    "INPUT.RANDOM_FLIP": "training",
}


def test_keys_that_a_resumed_run_may_change() -> None:
    of_the_segmenter = {name for name in NAMES if name.startswith("PREDICT.")}
    assert names_with_role("start", "cost", "output") - of_the_segmenter == (
        MAY_DIFFER | NO_LONGER_REPORTED_ON_RESUME.keys()
    )
    assert not MAY_DIFFER & NO_LONGER_REPORTED_ON_RESUME.keys()


def test_keys_that_results_depend_on() -> None:
    before = {name for name in NAMES - MAY_DIFFER - NOT_COUNTED if name.startswith(COUNTED_SECTIONS)}
    # the version of the layout is constant, so that counting it changes nothing
    assert names_with_role("result") - {"VERSION"} == before - NO_LONGER_COUNTED_FOR_RESULTS.keys()
    assert NO_LONGER_COUNTED_FOR_RESULTS.keys() <= before
    for name, reason in NO_LONGER_COUNTED_FOR_RESULTS.items():
        assert reason != "training" or KEY_BY_NAME[name].role == "training"


def test_keys_without_effect_under_another_trainer() -> None:
    assert {key.name for key in KEYS if key.engine_only} == WITHOUT_EFFECT


@pytest.mark.parametrize("role", ["result", "training", "start", "cost", "output"])
def test_values_are_selected_by_role(role: str) -> None:
    selected = get_cfg().select(role)
    assert selected.keys() == names_with_role(role)
    assert all(value == KEY_BY_NAME[name].default for name, value in selected.items())
