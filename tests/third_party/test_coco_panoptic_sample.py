"""Sample of panopticapi: 50 segments of two images of COCO, 3 of them crowds."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from frozenseg.data import resolve
from frozenseg.data.checks.audit import audit_dataset
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from tests.tiny import ROOT

FILES = ROOT / "tests/data/third_party/coco"
JSON, MASKS = FILES / "panoptic_val2017.json", FILES / "panoptic_val2017"
SIZES = {"000000142238": (640, 427), "000000439180": (640, 360)}


@pytest.fixture
def name(tmp_path: Path) -> str:
    """Return the data set's name, with grey images in place of the photographs."""
    for stem, size in SIZES.items():
        Image.new("RGB", size, (128, 128, 128)).save(tmp_path / f"{stem}.jpg")
    return f"coco-panoptic:{JSON}?images={tmp_path}"


def test_the_files_are_read_without_a_problem(name: str) -> None:
    dataset = resolve(name)
    records = dataset.load_records()
    assert len(dataset.vocabulary) == 133
    assert [len(record["segments_info"]) for record in records] == [18, 32]
    assert sum(bool(segment["iscrowd"]) for record in records for segment in record["segments_info"]) == 3
    report = audit_dataset(records, dataset.metadata, quiet=True)
    assert report.problems == []
    areas = np.zeros(133, dtype=np.int64)
    for record in records:
        for segment in record["segments_info"]:
            areas[segment["category_id"]] += segment["area"]
    assert report.pixels.tolist() == areas.tolist()


def test_the_ground_truth_scores_100_against_itself() -> None:
    scores = score_panoptic_files(JSON, MASKS, JSON, MASKS, workers=1, quiet=True)
    assert scores.results["panoptic_seg"]["PQ"] == 100
