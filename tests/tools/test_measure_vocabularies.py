"""Measures of vocabularies, on a scene or two."""

import json
from pathlib import Path

import pytest

from frozenseg.inference.predictor import Segmenter
from lab.vocabulary_measures.absent_names import mean_rows, measure_absent_names, measure_void_discount
from lab.vocabulary_measures.auto_names import is_near, measure_auto_names
from lab.vocabulary_measures.toyworld_scenes import KnownScene, known_scenes
from tools.measure_vocabularies import main


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    return Segmenter.from_pretrained("toyworld", device="cpu")


@pytest.fixture(scope="module")
def scenes(segmenter: Segmenter) -> list[KnownScene]:
    return known_scenes(segmenter, 2, 128, seed=7)


def test_negatives_reduce_false_segments(segmenter: Segmenter, scenes: list[KnownScene]) -> None:
    rules = segmenter.class_rules
    without, with_negatives = measure_absent_names(segmenter, scenes, [10], [0.0, 1.0])
    assert (without["names"], without["negatives"], with_negatives["negatives"]) == (10, "none", 1.0)
    assert without["false segments an image"] > with_negatives["false segments an image"]
    assert 0 < with_negatives["recall of present names"] <= without["recall of present names"] <= 1
    assert segmenter.class_rules is rules


def test_a_void_discount_adds_segments(segmenter: Segmenter, scenes: list[KnownScene]) -> None:
    settings = segmenter.model.inference_settings
    without, discounted = measure_void_discount(segmenter, scenes, [1], [0.0, 1.0])
    assert (without["void discount"], discounted["void discount"]) == (0.0, 1.0)
    # CLIP is sure of the only class, so that no query is void
    assert float(discounted["false segments an image"]) > float(without["false segments an image"])
    assert segmenter.model.inference_settings is settings


def test_numbers_are_averaged_over_models() -> None:
    runs = [[{"names": 3, "recall": 0.5}], [{"names": 3, "recall": 0.75}]]
    assert mean_rows(runs, ["names"]) == [{"names": 3, "recall": 0.625}]


def test_a_higher_threshold_uses_fewer_names(segmenter: Segmenter, scenes: list[KnownScene]) -> None:
    low, high = measure_auto_names(segmenter, scenes, [0.5], [0.01, 0.9])
    assert low["names an image"] >= high["names an image"]
    assert 0 <= high["recall"] <= low["recall"] <= 1


@pytest.mark.parametrize(
    ("name", "near"),
    [("red star", True), ("red heart", True), ("blue heart", False), ("dotted red star", False), ("grass", True),
     ("sand", False), ("striped blue cross", True)],
)  # fmt: skip
def test_a_near_name_has_one_other_word(name: str, near: bool) -> None:
    assert is_near(name, ["red star", "grass", "striped blue star"]) is near


def test_times_are_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["time", "--size", "64", "--output", str(tmp_path / "times.json")]) == 0
    rows = json.loads((tmp_path / "times.json").read_text())["rows"]
    assert [row["outputs"] for row in rows] == ["panoptic", "panoptic, instance, semantic"]
    assert rows[0]["ratio"] == pytest.approx(rows[0]["call"] / rows[0]["second vocabulary"])
    assert "second vocabulary" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="2"):
        main(["absent", "--names", "0"])


def test_the_time_of_all_names_is_written(tmp_path: Path) -> None:
    assert main(["auto-time", "--size", "64", "--output", str(tmp_path / "times.json")]) == 0
    [row] = json.loads((tmp_path / "times.json").read_text())["rows"]
    assert row["classes"] > 100
    assert all(row[column] > 0 for column in ("text of all names", "embed", "names and masks"))
