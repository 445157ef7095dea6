"""Check of many run lengths at once: it finds the irregular ones among regular ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frozenseg.structures import rle_batch
from frozenseg.structures.rle import read_rle, write_counts
from frozenseg.structures.rle_batch import irregular_rles

SIZE = (4, 5)
REGULAR = {"size": [4, 5], "counts": write_counts([5, 2, 2, 2, 9])}


def is_irregular(rle):
    try:
        return read_rle(rle, SIZE).text is None
    except ValueError:
        return True


@given(runs=st.lists(st.lists(st.integers(0, 12), max_size=6), max_size=8), at_once=st.sampled_from([1, 9, 1000]))
def test_it_agrees_with_the_reader_of_single_ones(runs, at_once):
    rles = [{"size": [4, 5], "counts": write_counts(np.array(lengths, dtype=np.int64))} for lengths in runs]
    expected = [index for index, rle in enumerate(rles) if is_irregular(rle)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rle_batch, "CHARACTERS_AT_ONCE", at_once)
        assert irregular_rles(rles, [SIZE] * len(rles)) == expected


@pytest.mark.parametrize(
    "value",
    [
        {**REGULAR, "size": [4.0, 5.0]},
        {**REGULAR, "size": [5, 4]},
        {**REGULAR, "counts": "é"},
        {**REGULAR, "counts": " "},
        {**REGULAR, "counts": "o"},
        {**REGULAR, "counts": "oooooooooo0"},
        {**REGULAR, "counts": [20]},
        {"size": [4, 5]},
        [[0, 0, 3, 0, 3, 3]],
        None,
    ],
)
def test_other_values_are_irregular(value):
    assert 1 in irregular_rles([REGULAR, value, REGULAR], [SIZE] * 3)
    assert irregular_rles([REGULAR], [None]) == [0]
    assert irregular_rles([REGULAR] * 3, [SIZE] * 3) == []
