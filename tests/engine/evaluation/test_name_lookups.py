"""The name of a data set is looked up once for all of its evaluation, and the resolved data set is passed on."""

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from frozenseg.data import DatasetCatalog, MetadataCatalog
from frozenseg.data.run_vocabulary import resolve_for_run
from frozenseg.engine.evaluation.runner import build_benchmarks
from frozenseg.toyworld.export import Recipe, export_split
from tests.tiny import tiny_config

NAMES = ("counted_train", "counted_val")


@pytest.fixture
def counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counter[str]]:
    """Two registered data sets, and the number of times that each is taken from each of the catalogs."""
    export_split(tmp_path / "toyworld" / "val_seen", Recipe("val_seen", 0, 2, 64, 64), quiet=True)
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    records, fields = DatasetCatalog.get("toyworld_val_seen"), MetadataCatalog.get("toyworld_val_seen").as_dict()
    for name in NAMES:
        DatasetCatalog.register(name, lambda: records)
        MetadataCatalog.register(name, lambda name=name: {**fields, "name": name})
    counts: Counter[str] = Counter()

    def counting(kind: str, get: Callable[[str], Any]) -> Callable[[str], Any]:
        def counted_get(name: str) -> Any:
            counts[f"{kind} of {name}"] += 1
            return get(name)

        return counted_get

    monkeypatch.setattr(DatasetCatalog, "get", counting("records", DatasetCatalog.get))
    monkeypatch.setattr(MetadataCatalog, "get", counting("metadata", MetadataCatalog.get))
    yield counts
    for name in NAMES:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_each_name_is_looked_up_once(counted: Counter[str]) -> None:
    cfg = tiny_config("FCCLIP", "DATASETS.TRAIN", ["counted_train"], "DATASETS.TEST", ["counted_val"])
    build_benchmarks(cfg, resolve_for_run(cfg, "counted_train"))
    assert counted == {"metadata of counted_train": 1, "metadata of counted_val": 1, "records of counted_val": 1}
