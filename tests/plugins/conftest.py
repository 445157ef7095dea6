"""Fixtures: a small ToyWorld and the config of a tiny model, for Detectron2."""

import importlib
import re
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import NARROW, ROOT

SHORT = (
    "SOLVER.MAX_ITER", 3, "SOLVER.IMS_PER_BATCH", 2, "SOLVER.AMP.ENABLED", False, "DATALOADER.NUM_WORKERS", 0,
    "TEST.EVAL_PERIOD", 0, "INPUT.IMAGE_SIZE", 64, "INPUT.MIN_SIZE_TEST", 64,
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


@pytest.fixture
def plugin(toy: Path) -> Iterator[ModuleType]:
    """The module that meets Detectron2, with everything registered."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        catalogs = importlib.import_module("detectron2.data")
        plugin = importlib.import_module("frozenseg.plugins.detectron2")
    own = DatasetCatalog.list()
    for name in own:  # where an earlier test has had its data
        catalogs.DatasetCatalog.pop(name, None)
        catalogs.MetadataCatalog.pop(name, None)
    plugin.register()
    plugin.register()  # changes nothing
    yield plugin
    for name in set(DatasetCatalog.list()).difference(own):  # taken over from Detectron2
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)
        catalogs.DatasetCatalog.pop(name, None)
        catalogs.MetadataCatalog.pop(name, None)


@pytest.fixture
def cfg(plugin: ModuleType, config: str, options: list[object]) -> Any:
    """The tiny FrozenSeg as a config of Detectron2, on the CPU."""
    cfg = importlib.import_module("detectron2.config").get_cfg()
    plugin.add_frozenseg_config(cfg)
    cfg.merge_from_file(config)
    cfg.merge_from_list([*options, "MODEL.DEVICE", "cpu"])
    return cfg


@pytest.fixture
def ten_lines() -> str:
    """The code of GETTING_STARTED."""
    page = (ROOT / "GETTING_STARTED.md").read_text(encoding="utf-8")
    [block] = re.findall(r"```python\n(.*?)```", page.split("## Inside your Detectron2 project")[1], re.DOTALL)
    return block
