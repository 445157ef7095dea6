"""A little ToyWorld and a tiny model's config, for Detectron2."""

from pathlib import Path

import pytest

from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT

SHORT = (
    "SOLVER.MAX_ITER", 3, "SOLVER.IMS_PER_BATCH", 2, "SOLVER.AMP.ENABLED", False, "DATALOADER.NUM_WORKERS", 0,
    "TEST.EVAL_PERIOD", 0,
)  # fmt: skip


@pytest.fixture(scope="session")
def toy_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data sets' folder, read-only."""
    root = tmp_path_factory.mktemp("datasets")
    for split, count in {"train": 4, "val_seen": 2, "val_unseen": 2}.items():
        export_split(root / "toyworld" / split, Recipe(split, 0, count, 64, 64), quiet=True)
    return root


@pytest.fixture
def toy(toy_root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, made known to the catalogs."""
    monkeypatch.setenv("DETECTRON2_DATASETS", str(toy_root))
    return toy_root


@pytest.fixture
def options(tmp_path: Path) -> list[object]:
    """On top of a config, so that it is small."""
    return [*NARROW, *SHORT, "OUTPUT_DIR", str(tmp_path / "output")]


@pytest.fixture
def config() -> str:
    """The tiny FrozenSeg."""
    return str(ROOT / "configs/toyworld/frozenseg_tiny.yaml")
