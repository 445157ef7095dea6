"""Limits of the toy encoders: groups of masks at points, filters of automatic masks, sizes of CLIP's input."""

import numpy as np
import pytest
from safetensors.torch import save_file

from frozenseg.modeling.pretrained import TOYWORLD_SAM, TOYWORLD_TINY_SAM
from frozenseg.modeling.sam.build import build_sam
from frozenseg.toyworld.categories import all_categories
from lab.pretraining import clip_limits, sam_limits
from lab.pretraining.scores import region_masks, zero_shot_scenes
from tools import measure_toyworld_encoders

BY_NAME = {category.name: category for category in all_categories()}


@pytest.fixture(scope="module")
def sam():
    return build_sam(TOYWORLD_SAM, "toyworld")


@pytest.fixture(scope="module")
def scenes():
    return zero_shot_scenes(2)


def test_masks_at_points_of_a_scene(sam, scenes):
    masks = sam_limits.point_masks(sam, scenes[0], np.random.default_rng(0))
    things = [segment for segment in scenes[0].segments if segment.category.isthing]
    assert len(masks) == len(things) * (1 + sam_limits.RANDOM_POINTS)
    assert [mask.position for mask in masks].count(sam_limits.CENTRE) == len(things)
    for mask in masks:
        assert 0 <= mask.iou <= mask.best <= 1
        assert mask.iou <= min(mask.precision, mask.recall) + 1e-6
    areas = {int(mask.sum()) for mask, segment in zip(region_masks(scenes[0]), scenes[0].segments, strict=True)
             if segment.category.isthing}  # fmt: skip
    assert {mask.area for mask in masks} == areas


def test_rows_of_points_have_every_group_once(sam, scenes):
    rows = sam_limits.point_rows(sam, scenes)
    assert len({row[:2] for row in rows}) == len(rows)
    assert {row[0] for row in rows} == set(sam_limits.GROUPS)
    counts = {group: sum(int(row[2]) for row in rows if row[0] == group) for group in ("area", "shape", "pattern")}
    assert len(set(counts.values())) == 1  # each random point is in one row of a group


def test_weaker_filters_keep_more_masks_and_find_more_regions(sam, scenes, monkeypatch):
    monkeypatch.setattr(sam_limits, "FILTERS", ((0.8, 1.0), (0.6, 0.25), (0.0, 0.0)))
    monkeypatch.setattr(sam_limits, "POINTS", 6)
    strict, weak, none = ([float(value) for value in row[2:5]] for row in sam_limits.filter_rows(sam, scenes[:1]))
    assert strict[0] < weak[0] < none[0] == 3 * sam_limits.POINTS**2
    assert strict[1] <= weak[1] <= none[1]


@pytest.mark.parametrize(
    ("true", "named", "words"),
    [
        ("red circle", "red square", "shape"),
        ("red circle", "striped red triangle", "pattern and shape"),
        ("red circle", "yellow circle", "colour"),
        ("red circle", "sand", "material"),
    ],
)
def test_words_of_an_error(true: str, named: str, words: str):
    assert clip_limits._confused(BY_NAME[true], BY_NAME[named]) == words


def test_the_tool_prints_accuracies_by_size(capsys, monkeypatch):
    monkeypatch.setattr(clip_limits, "CROP_SIZES", (64,))
    monkeypatch.setattr(clip_limits, "SCENE_SIZES", (256,))
    monkeypatch.setattr(clip_limits, "FINER_STRIDES", (8,))
    assert measure_toyworld_encoders.main(["clip", "--scenes", "2"]) == 0
    printed = capsys.readouterr().out
    assert [line.split("|")[1].strip() for line in printed.splitlines()[2:]] == ["crop", "scene", "scene, stride 8"]
    assert measure_toyworld_encoders.main(["clip", "--filters"]) == 2
    assert "--filters is for SAM, not for CLIP" in capsys.readouterr().err


def test_the_tool_measures_the_sam_that_a_file_holds(capsys, tmp_path):
    file = tmp_path / "sam_t.safetensors"
    save_file(build_sam(TOYWORLD_TINY_SAM, "random").state_dict(), file)
    assert measure_toyworld_encoders.main(["sam", "--weights", str(file), "--scenes", "1"]) == 0
    assert "farthest from the outline" in capsys.readouterr().out
