"""Polygons as the mask of an object: rectangles on the pixel grid have their pixels, damaged ones are refused."""

import math
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.data.class_maps import decode_object_mask
from frozenseg.errors import FrozenSegError
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import odd_values

SIDES = st.integers(1, 40)
NUMBERS = st.one_of(
    st.integers(-100, 200),
    st.floats(-50, 150),
    st.floats(),
    st.sampled_from((math.nan, math.inf, -math.inf, 1e9, -1e9, 1e18, 2**31, None, True, "1", "a", [1])),
)
PARTS = st.one_of(st.lists(st.floats(-5, 45), min_size=6, max_size=14), st.lists(NUMBERS, max_size=14), odd_values())


@st.composite
def polygon_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw a rectangle on the pixel grid, or any list of polygons, and the size of the image."""
    height, width = draw(SIDES), draw(SIDES)
    if draw(st.booleans()):
        top, left = draw(st.integers(0, height - 1)), draw(st.integers(0, width - 1))
        bottom, right = draw(st.integers(top + 1, height)), draw(st.integers(left + 1, width))
        corners = [left, top, right, top, right, bottom, left, bottom]
        kind = draw(st.sampled_from((int, float)))
        return {
            "polygons": [[kind(value) for value in corners]],
            "image": (height, width),
            "box": (top, left, bottom, right),
        }
    return {"polygons": draw(st.lists(PARTS, max_size=3)), "image": (height, width), "box": None}


@fuzz("polygons", polygon_cases(), examples=200)
def test_polygons(case: dict[str, Any], folder: Path) -> None:
    del folder
    numbers = [number for part in case["polygons"] if isinstance(part, list) for number in part]
    try:
        mask = decode_object_mask({"segmentation": case["polygons"]}, case["image"], "a.png")
    except FrozenSegError:
        assert case["box"] is None, "a valid polygon is refused"
        raise
    assert mask.shape == case["image"]
    assert mask.dtype == bool
    assert all(isinstance(number, (int, float)) and math.isfinite(number) for number in numbers)
    if case["box"] is not None:
        top, left, bottom, right = case["box"]
        expected = np.zeros(case["image"], dtype=bool)
        expected[top:bottom, left:right] = True
        assert np.array_equal(mask, expected)
