"""Categories of a JSON, compared with the table of the benchmark that it is loaded as."""

from pathlib import Path
from typing import Any

import pytest

from frozenseg.data import DatasetCatalog, MetadataCatalog
from frozenseg.data.known_categories import refuse_other_categories
from frozenseg.data.metadata import Metadata
from frozenseg.errors import DataError
from tests.miniatures import lvis

LVIS, COCO = "openvocab_lvis_v1_val", "openvocab_coco_2017_val_panoptic_with_sem_seg"
PATH = Path("lvis_v1_val.json")


def table(metadata: Metadata) -> list[dict[str, Any]]:
    return [{"id": i, "name": name} for i, name in zip(metadata.category_ids, metadata.category_names, strict=True)]


@pytest.mark.parametrize("name", [name for name in DatasetCatalog.list() if MetadataCatalog.get(name).category_names])
def test_tables_agree_with_themselves_in_any_spelling(name: str) -> None:
    metadata = MetadataCatalog.get(name)
    categories = table(metadata)
    refuse_other_categories(metadata, PATH, categories)
    refuse_other_categories(metadata, PATH, [{**c, "name": c["name"].replace("_", " ").upper()} for c in categories])
    refuse_other_categories(metadata, PATH, categories[::3])  # COCO's instances are 80 of the 133 categories
    names = [category["name"] for category in categories]
    shifted = [{"id": c["id"], "name": n} for c, n in zip(categories, names[1:] + names[:1], strict=True)]
    with pytest.raises(DataError, match=rf"\d+ of {len(categories)} categories have other names"):
        refuse_other_categories(metadata, PATH, shifted)


@pytest.mark.parametrize(
    ("name", "category", "spelling"),
    [
        (LVIS, "alarm_clock", "alarm clock"),
        (COCO, "wall-other-merged", "wall"),
        ("openvocab_mapillary_vistas_panoptic_val", "animal--bird", "Bird"),
        ("openvocab_ade20k_panoptic_val", "building", "building, edifice"),
        (COCO, "car", "automobile"),
    ],
)
def test_spellings_and_synonyms(name: str, category: str, spelling: str) -> None:
    metadata = MetadataCatalog.get(name)
    category_id = metadata.category_ids[metadata.category_names.index(category)]
    refuse_other_categories(metadata, PATH, [{"id": category_id, "name": spelling}])


def test_two_names_are_exchanged() -> None:
    metadata = MetadataCatalog.get(COCO)
    categories = table(metadata)
    categories[1]["name"], categories[2]["name"] = categories[2]["name"], categories[1]["name"]
    with pytest.raises(DataError, match="2 of 133 .*id 2 is 'car', expected 'bicycle'; id 3 is 'bicycle', expected"):
        refuse_other_categories(metadata, PATH, categories)


def test_other_files_are_not_compared() -> None:
    refuse_other_categories(MetadataCatalog.get(LVIS), PATH, None)
    refuse_other_categories(MetadataCatalog.get(LVIS), PATH, ["cat", {"id": [1], "name": "cat"}, {"id": 1}])
    refuse_other_categories(Metadata(category_ids=(1,)), PATH, [{"id": 1, "name": "anything"}])


def test_loading_compares(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    lvis.make(tmp_path)
    path = tmp_path / "lvis/lvis_v1_val.json"
    assert DatasetCatalog.get(LVIS)
    path.write_text(path.read_text().replace('"id": 4, "name": "alarm_clock"', '"id": 4, "name": "zebra"'))
    with pytest.raises(DataError, match=r"lvis_v1_val\.json is not of openvocab_lvis_v1_val: 1 of 1203 categories"):
        DatasetCatalog.get(LVIS)
