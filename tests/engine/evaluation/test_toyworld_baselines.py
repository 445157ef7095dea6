"""The controls see what they say they see."""

import numpy as np
import pytest

from frozenseg.engine.evaluation.toyworld_baselines import (
    BaselineModel,
    PredictedRegion,
    colour_regions,
    connected,
    majority_regions,
    outline_regions,
    profile,
)
from frozenseg.toyworld.categories import COLOURS, all_categories, seen_categories
from frozenseg.toyworld.shapes import OUTLINES


def drawn(shape: str, size: int = 96) -> np.ndarray:
    y, x = np.mgrid[-1.5 : 1.5 : size * 1j, -1.5 : 1.5 : size * 1j].astype(np.float32)
    return OUTLINES[shape](x, y) < 0


def flat_picture(colour: str, shape: str) -> np.ndarray:
    """Return a thing of one colour on water of one colour, (H, W, 3) uint8."""
    import colorsys

    image = np.full((320, 320, 3), (64, 130, 178), dtype=np.uint8)
    mask = drawn(shape)
    image[100:196, 100:196][mask] = np.round(255 * np.array(colorsys.hsv_to_rgb(*COLOURS[colour]))).astype(np.uint8)
    return image


def test_the_majority_is_one_region():
    [region] = majority_regions(np.zeros((4, 6, 3), dtype=np.uint8), seen_categories())
    assert region.mask.all()
    assert region.mask.shape == (4, 6)
    assert not region.category.isthing


@pytest.mark.parametrize(("colour", "shape"), [("red", "circle"), ("red", "square"), ("green", "triangle")])
def test_outlines_tell_shapes(colour: str, shape: str):
    things = [region for region in outline_regions(flat_picture(colour, shape), seen_categories())
              if region.category.isthing]  # fmt: skip
    assert [region.category.parts["colour"] for region in things] == [colour]
    assert things[0].category.parts["shape"] == shape


def test_where_shapes_are_equal_a_plain_thing_is_preferred():
    regions = outline_regions(flat_picture("red", "triangle"), all_categories())  # "striped red triangle" comes first
    assert [region.category.name for region in regions if region.category.isthing] == ["red triangle"]


def test_colour_alone_takes_the_first_of_that_colour():
    regions = colour_regions(flat_picture("red", "star"), seen_categories())
    assert [region.category.name for region in regions if region.category.isthing] == ["red circle"]
    assert any(not region.category.isthing for region in regions)


def test_regions_do_not_overlap():
    regions = outline_regions(flat_picture("yellow", "star"), all_categories())
    assert np.sum([region.mask for region in regions], axis=0).max() == 1


def test_small_and_large_parts_are_no_things():
    mask = np.zeros((100, 100), dtype=bool)
    mask[:2, :2] = True  # 4 of 10 000 pixels
    mask[40:] = True  # more than half
    mask[10:20, 10:20] = True
    mask[14:16, 14:16] = False  # a hole
    [part] = connected(mask)
    assert part.sum() == 100


def test_profiles_do_not_depend_on_size():
    assert profile(drawn("star", 200)) == pytest.approx(profile(drawn("star", 100)), abs=0.03)
    assert np.abs(profile(drawn("star")) - profile(drawn("circle"))).sum() > 0.2


def test_a_thing_that_another_one_covers_is_not_listed():
    seen = list(seen_categories())
    small, large = np.zeros((6, 6), dtype=bool), np.zeros((6, 6), dtype=bool)
    small[2:4, 2:4], large[1:5, 1:5] = True, True
    covered = BaselineModel(
        lambda image, classes: [PredictedRegion(small, seen[0]), PredictedRegion(large, seen[1])], seen
    )
    ids, segments = covered.predict(np.zeros((6, 6, 3), dtype=np.uint8))["panoptic_seg"]
    assert [segment["id"] for segment in segments] == [2]
    assert set(ids.unique().tolist()) == {0, 2}
