"""Fixtures: a small ToyWorld on disk, and a config with the keys that data loading reads."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from frozenseg.toyworld.export import Recipe, export_split

COUNTS = {"train": 6, "val_seen": 3, "val_unseen": 3}


@pytest.fixture(scope="session")
def toy_root(tmp_path_factory) -> Path:
    """The folder of all data sets, read-only."""
    root = tmp_path_factory.mktemp("datasets")
    for split, count in COUNTS.items():
        export_split(root / "toyworld" / split, Recipe(split, 0, count, 64, 96), quiet=True)
    return root


@pytest.fixture
def toy(toy_root, monkeypatch) -> Path:
    """The same folder, as the one that the catalogs use."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(toy_root))
    return toy_root


@pytest.fixture
def cfg() -> SimpleNamespace:
    """The keys that loaders read, small."""
    return SimpleNamespace(
        SEED=7,
        TEST=SimpleNamespace(
            USE_SAM_MASKS=False, AUG=SimpleNamespace(ENABLED=False, MIN_SIZES=[24, 48], MAX_SIZE=90, FLIP=True)
        ),
        DATASETS=SimpleNamespace(TRAIN=["toyworld_train"], TEST=["toyworld_val_seen"], SKIP_BAD=False, STRICT=False),
        DATALOADER=SimpleNamespace(NUM_WORKERS=0, ASPECT_RATIO_GROUPING=True, FILTER_EMPTY_ANNOTATIONS=True),
        INPUT=SimpleNamespace(
            FORMAT="RGB",
            DATASET_MAPPER_NAME="coco_panoptic_lsj",
            IMAGE_SIZE=64,
            MIN_SCALE=0.5,
            MAX_SCALE=1.5,
            RANDOM_FLIP="horizontal",
            MIN_SIZE_TEST=32,
            MAX_SIZE_TEST=64,
        ),
        SOLVER=SimpleNamespace(IMS_PER_BATCH=2, IMAGES_AT_ONCE=0),
    )
