"""Run-length representation of maps: by hand, and for random maps."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from frozenseg.structures.label_runs import Runs, count_pairs, overlay


def test_a_run_may_pass_the_end_of_a_row():
    runs = Runs.of(np.array([[7, 7, 0], [0, 0, 5]]))
    assert runs.size == (2, 3)
    assert (runs.starts.tolist(), runs.values.tolist(), runs.lengths().tolist()) == ([0, 2, 5], [7, 0, 5], [2, 3, 1])


def test_a_map_without_pixels_has_no_run():
    runs = Runs.of(np.zeros((0, 3), dtype=np.uint8))
    assert (runs.size, len(runs.starts), runs.pixels().shape) == ((0, 3), 0, (0, 3))


def test_overlay_by_hand():
    first, second = Runs.of(np.array([[1, 1, 2, 2]])), Runs.of(np.array([[5, 6, 6, 6]]))
    of_first, of_second, pixels = overlay(first, second)
    stretches = [(1 + a, 5 + b, n) for a, b, n in zip(of_first, of_second, pixels, strict=True) if n]
    assert stretches == [(1, 5, 1), (1, 6, 1), (2, 6, 2)]


maps = st.integers(1, 9).flatmap(
    lambda width: st.tuples(*[arrays(np.int32, (4, width), elements=st.integers(0, 3)) for _ in range(2)])
)


@given(maps)
def test_runs_hold_the_map_and_pairs_are_counted(pair):
    first, second = pair
    runs = Runs.of(first), Runs.of(second)
    np.testing.assert_array_equal(runs[0].pixels(), first)
    of_first, of_second, pixels = overlay(*runs)
    table = count_pairs(runs[0].values[of_first], runs[1].values[of_second], pixels, (4, 5))
    expected = np.zeros((4, 5), dtype=int)
    np.add.at(expected, (first, second), 1)
    np.testing.assert_array_equal(table, expected)
    assert table.dtype == np.int64


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64])
def test_values_keep_their_type(dtype):
    assert Runs.of(np.array([[1, 2]], dtype=dtype)).values.dtype == dtype
