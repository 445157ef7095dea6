"""Catalogs: filled on first use; an unknown name is reported with the nearest one."""

import subprocess
import sys
from pathlib import Path

import pytest

from frozenseg.data import DatasetCatalog, Metadata, MetadataCatalog, resolve, vocabulary_of
from frozenseg.data.metadata import datasets_root
from frozenseg.errors import DataError

NAMES = ["toyworld_train", "toyworld_val_seen", "toyworld_val_unseen"]


@pytest.fixture
def custom_name():
    yield "my_own"
    DatasetCatalog.remove("my_own")
    MetadataCatalog.remove("my_own")


@pytest.mark.parametrize("catalog", [DatasetCatalog, MetadataCatalog])
def test_catalogs_find_the_data_sets(catalog):
    assert set(NAMES) <= set(catalog.list())
    assert catalog.list() == sorted(catalog.list())


@pytest.mark.parametrize("catalog", [DatasetCatalog, MetadataCatalog])
def test_unknown_name_is_reported_with_the_nearest_and_all(catalog):
    with pytest.raises(
        DataError, match=r"'toyworld_trian'\. Did you mean 'toyworld_train'.*Known: .*toyworld_val_seen"
    ):
        catalog.get("toyworld_trian")
    with pytest.raises(DataError, match="Unknown data set 'zzz'. Known: "):
        vocabulary_of("zzz")


def test_every_entry_has_both_halves():
    assert DatasetCatalog.list() == MetadataCatalog.list()


@pytest.mark.parametrize("name", MetadataCatalog.list())
def test_metadata_contract(name):
    metadata = MetadataCatalog.get(name)
    count = len(metadata.vocabulary)
    assert metadata.name == name
    assert len(metadata.category_ids) == len(set(metadata.category_ids)) == count
    assert list(metadata.contiguous_ids.values()) == list(range(count))
    assert len(metadata.colors) == count
    assert all(0 <= index < count for group in metadata.category_groups.values() for index in group)
    assert metadata.prepare_command
    assert "{" not in metadata.prepare_command
    names = metadata.vocabulary.synonyms
    assert all("," not in synonym and synonym == synonym.strip() for synonym in names)
    assert len(set(names)) == len(names)  # no two classes share a synonym
    assert vocabulary_of(name) is metadata.vocabulary


def test_metadata_is_one_object_and_keeps_what_is_set(custom_name):
    MetadataCatalog.register(custom_name, lambda: {"stuff_classes": ["sky"]})
    MetadataCatalog.get(custom_name).set(evaluator_type="mine")
    assert MetadataCatalog.get(custom_name).as_dict() == {
        "name": custom_name,
        "stuff_classes": ["sky"],
        "evaluator_type": "mine",
    }


def test_detectron2_idiom_of_registering_records_first(custom_name):
    DatasetCatalog.register(custom_name, lambda: [{"file_name": "a.jpg"}])
    MetadataCatalog.get(custom_name).set(stuff_classes=["sky,clouds", "dog"], thing_dataset_id_to_contiguous_id={5: 1})
    assert DatasetCatalog.get(custom_name) == [{"file_name": "a.jpg"}]
    assert vocabulary_of(custom_name).classes == (("sky", "clouds"), ("dog",))
    assert vocabulary_of(custom_name).isthing == (False, True)
    assert MetadataCatalog.get(custom_name).thing_contiguous_ids == {5: 1}
    assert resolve(custom_name).load_records() == [{"file_name": "a.jpg"}]


def test_a_failure_while_the_catalogs_are_filled_is_repeated():
    code = (
        "import frozenseg.data.datasets.toyworld as toyworld\n"
        "from frozenseg.data import MetadataCatalog\n"
        "specs = toyworld.SPECS\n"
        "del toyworld.SPECS\n"
        "for _ in range(2):\n"
        "    try:\n"
        "        MetadataCatalog.list()\n"
        "        raise SystemExit('no error')\n"
        "    except AttributeError:\n"
        "        pass\n"
        "toyworld.SPECS = specs\n"
        "assert 'toyworld_train' in MetadataCatalog.list()\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603


def test_a_name_is_registered_once(custom_name):
    DatasetCatalog.register(custom_name, list)
    with pytest.raises(DataError, match="'my_own' is registered already"):
        DatasetCatalog.register(custom_name, list)


def test_missing_attribute_is_reported_with_those_that_are_set():
    metadata = Metadata(name="x", ignore_label=255)
    assert metadata.get("json_file") is metadata.json_file is None
    assert metadata.get("json_file", "none") == "none"
    assert metadata.get("license") is None
    with pytest.raises(AttributeError, match="Metadata of 'x' has no 'license'; it has name, ignore_label"):
        _ = metadata.license
    assert repr(metadata) == "Metadata('x': name, ignore_label)"


def test_root_is_read_at_each_call(monkeypatch, tmp_path):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    assert MetadataCatalog.get("toyworld_train").image_root == str(tmp_path / "toyworld" / "train" / "images")
    monkeypatch.setenv("DETECTRON2_DATASETS", "~/elsewhere")
    expected = Path.home() / "elsewhere" / "toyworld" / "train" / "images"
    assert MetadataCatalog.get("toyworld_train").image_root == str(expected)
    monkeypatch.delenv("DETECTRON2_DATASETS")
    assert str(datasets_root()) == "datasets"


def test_import_registers_nothing_and_needs_no_torch():
    """Run in a fresh interpreter, because this one has used the catalogs."""
    code = (
        "import sys, frozenseg.data as data\n"
        "assert not data.DatasetCatalog._entries and not data.MetadataCatalog._entries\n"
        "assert 'frozenseg.data.datasets.coco' not in sys.modules and 'torch' not in sys.modules\n"
        "assert data.vocabulary_of('toyworld_train').names[0] == 'red circle'\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603
