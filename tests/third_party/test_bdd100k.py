"""Test cases of the BDD100K toolkit, with the values that its own tests expect."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from frozenseg.data.prepare.bdd100k import bitmask_segments
from frozenseg.data.prepare.images import read_category_table
from frozenseg.evaluation.prediction_file_metrics.panoptic import score_panoptic_files
from frozenseg.structures.label_files import read_segment_ids, write_segment_ids
from tests.tiny import ROOT

FILES = ROOT / "tests/data/third_party/bdd100k"
TOOLKIT_PQ = 66.46278879162743  # of the toolkit's tests/eval/pan_seg_test.py
PQ = 66.46301  # by panopticapi's definition, which takes unlabelled pixels out of unions


def convert(path: Path) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """Return the segment ids and segments of a bitmask."""
    return bitmask_segments(np.asarray(Image.open(path)), path)


def test_the_conversion_equals_the_toolkits() -> None:
    ids, segments = convert(FILES / "conversion/bitmask.png")
    expected = json.loads((FILES / "conversion/panoptic.json").read_text())["segments_info"]
    fields = ("id", "category_id", "area", "iscrowd")
    assert [[part[field] for field in fields] for part in segments] == [
        [part[field] for field in fields] for part in expected
    ]
    assert np.array_equal(ids, read_segment_ids(FILES / "conversion/panoptic.png"))


def write(folder: Path, name: str, source: Path) -> tuple[Path, Path]:
    """Convert a folder of bitmasks to COCO panoptic format; returns JSON and folder."""
    masks = folder / name
    masks.mkdir()
    categories = [
        {"id": int(row["id"]), "isthing": int(row["isthing"])} for row in read_category_table("bdd_panoptic_40.tsv")
    ]
    annotations = []
    for path in sorted(source.glob("*.png")):
        ids, segments = convert(path)
        write_segment_ids(masks / path.name, ids)
        annotations.append({"image_id": path.stem, "file_name": path.name, "segments_info": segments})
    content = {"images": [], "categories": categories, "annotations": annotations}
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / f"{name}.json", masks


def test_panoptic_quality_equals_the_toolkits(tmp_path: Path) -> None:
    ground_truth = write(tmp_path, "ground_truth", FILES / "ground_truth")
    predictions = write(tmp_path, "predictions", FILES / "predictions")
    scores = score_panoptic_files(*ground_truth, *predictions, workers=1, quiet=True)
    assert scores.results["panoptic_seg"]["PQ"] == pytest.approx(PQ, abs=5e-6)
    assert scores.results["panoptic_seg"]["PQ"] == pytest.approx(TOOLKIT_PQ, abs=5e-4)
