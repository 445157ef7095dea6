"""Specifications: the metadata that they produce, and the errors about bad tables."""

import pytest

from frozenseg.data import DatasetCatalog, MetadataCatalog, register_dataset
from frozenseg.data.spec import CategoryRow, DatasetSpec, read_categories
from frozenseg.errors import DataError

ROWS = (
    CategoryRow(3, ("cat", "kitten"), True, (1, 2, 3), "rare"),
    CategoryRow(8, ("sky",), False, (4, 5, 6)),
    CategoryRow(9, ("dog",), True, (7, 8, 9), "rare"),
)


@pytest.fixture
def spec():
    yield DatasetSpec(
        name="my_spec",
        categories=lambda: ROWS,
        load=lambda metadata: [{"file_name": metadata.image_root}],
        files={"image_root": "my/images"},
        prepare_command="unpack it under {root}",
        extra={"license": "free"},
    )
    DatasetCatalog.remove("my_spec")
    MetadataCatalog.remove("my_spec")


def test_metadata_of_a_spec(spec, monkeypatch, tmp_path):
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    register_dataset(spec)
    metadata = MetadataCatalog.get("my_spec")
    assert metadata.vocabulary.classes == (("cat", "kitten"), ("sky",), ("dog",))
    assert metadata.vocabulary.isthing == (True, False, True)
    assert metadata.category_ids == (3, 8, 9)
    assert metadata.thing_contiguous_ids == {3: 0, 9: 2}
    assert metadata.contiguous_ids == {3: 0, 8: 1, 9: 2}
    assert metadata.category_groups == {"rare": [0, 2]}
    assert metadata.colors == ((1, 2, 3), (4, 5, 6), (7, 8, 9))
    assert metadata.image_root == str(tmp_path / "my" / "images")
    assert metadata.json_file is None
    assert metadata.license == "free"
    assert metadata.prepare_command == f"unpack it under {tmp_path}"
    assert DatasetCatalog.get("my_spec") == [{"file_name": metadata.image_root}]


def test_missing_table():
    with pytest.raises(DataError, match=r"no category table no_such\.tsv"):
        read_categories("no_such.tsv")


def test_table_without_a_column(tmp_path, monkeypatch):
    (tmp_path / "categories").mkdir()
    table = tmp_path / "categories" / "bad.tsv"
    table.write_text("id\tname\tisthing\tr\tg\tb\n1\tcat\t1\t0\t0\t0\n", encoding="utf-8")
    monkeypatch.setattr("frozenseg.data.spec.resources.files", lambda package: tmp_path)
    with pytest.raises(DataError, match=r"bad\.tsv lacks the columns synonyms"):
        read_categories("bad.tsv")


def test_synonyms_default_to_the_name_and_groups_are_read(tmp_path, monkeypatch):
    (tmp_path / "categories").mkdir()
    lines = [
        "id\tname\tsynonyms\tisthing\tr\tg\tb\tgroup",
        "1\tcat\t\t1\t0\t1\t2\tf",
        "7\twall-x\twall, stone wall\t0\t3\t4\t5\t",
    ]
    (tmp_path / "categories" / "good.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    monkeypatch.setattr("frozenseg.data.spec.resources.files", lambda package: tmp_path)
    assert read_categories("good.tsv") == (
        CategoryRow(1, ("cat",), True, (0, 1, 2), "f", "cat"),
        CategoryRow(7, ("wall", "stone wall"), False, (3, 4, 5), "", "wall-x"),
    )
