"""Data sets read the files of their converters; several processes write the same files as one."""

from pathlib import Path
from types import ModuleType

import pytest

from frozenseg.data.catalog import DatasetCatalog, MetadataCatalog
from frozenseg.data.prepare.converter import get_converter
from frozenseg.data.prepare.runner import prepare
from frozenseg.structures.label_files import read_labels, read_segment_ids
from tests.miniatures import bdd100k, cityscapes, lvis, mapillary, pascal_context, pascal_voc

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # pycocotools
RECORDS = 2  # of a split of each miniature


@pytest.mark.parametrize(
    "miniature",
    [bdd100k, cityscapes, lvis, mapillary, pascal_context, pascal_voc],
    ids=lambda module: module.__name__.split(".")[-1],
)
def test_data_sets_read_the_converted_files(tmp_path: Path, monkeypatch, miniature: ModuleType) -> None:
    monkeypatch.setenv("DETECTRON2_DATASETS", str(tmp_path))
    converter = get_converter(miniature.__name__.split(".")[-1])
    miniature.make(tmp_path)
    prepare(converter, tmp_path)
    assert converter.datasets
    for name in converter.datasets:
        records = DatasetCatalog.get(name)
        assert len(records) == RECORDS, name
        for record in records:
            assert Path(record["file_name"]).exists()
            if "sem_seg_file_name" in record:
                labels = set(read_labels(record["sem_seg_file_name"]).ravel().tolist())
                metadata = MetadataCatalog.get(name)
                assert labels - {metadata.ignore_label} <= set(range(len(metadata.vocabulary))), name
            if "pan_seg_file_name" in record:
                ids = set(read_segment_ids(record["pan_seg_file_name"]).ravel().tolist())
                assert ids - {0} == {segment["id"] for segment in record["segments_info"]}


def test_several_processes_write_the_same_files(tmp_path: Path) -> None:
    made = []
    for workers in (1, 2):
        root = tmp_path / str(workers)
        cityscapes.make(root)
        prepare(get_converter("cityscapes"), root, workers)
        home = root / "cityscapes/gtFine"
        made.append({path.relative_to(home): path.read_bytes() for path in home.rglob("*.*")})
    assert made[0] == made[1]
