"""Run lengths of COCO: equal to pycocotools where they are valid; otherwise completed, normalised or refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask

from frozenseg.structures.rle import read_counts, read_rle, write_counts

MASKS = arrays(bool, st.tuples(st.integers(1, 8), st.integers(1, 8)))
SIZE = (4, 5)  # 20 pixels
MASK = np.zeros(SIZE, dtype=bool)
MASK[1:3, 1:4] = True  # column by column: 5 off, 2 on, 2 off, 2 on, 2 off, 2 on, 5 off
RUNS = [5, 2, 2, 2, 2, 2, 5]


def rle(counts, size=SIZE):
    return {"size": list(size), "counts": counts}


@given(mask=MASKS)
def test_strings_are_those_of_pycocotools(mask):
    encoded = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    runs = read_rle(encoded, mask.shape)
    assert (runs.mask() == mask).all()
    assert (runs.area(), runs.completed) == (mask.sum(), False)
    expected = {"size": list(mask.shape), "counts": encoded["counts"].decode()}
    assert runs.compressed() == runs._replace(text=None).compressed() == expected


@given(lengths=st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_counts_of_any_size_are_written_and_read(lengths):
    assert read_counts(write_counts(lengths)).tolist() == lengths


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(
    ("counts", "expected", "completed"),
    [
        (RUNS, RUNS, False),
        (RUNS[:-1], RUNS, True),  # the last run of zeros is missing
        ([], [20], True),
        ([20], [20], False),
        ([0, 20], [0, 20], False),
        ([0, 20, 0, 0], [0, 20], False),
        ([5, 2, 2, 0, 0, 2, 9], [5, 2, 2, 2, 9], False),  # empty runs in the middle stop pycocotools' iou
        ([5, 0, 0, 2, 2, 2, 2, 2, 5], RUNS, False),
        ([0, 0, 5, 2, 2, 2, 2, 2, 5], RUNS, False),
    ],
)
def test_unambiguous_runs_are_normalised(counts, expected, completed, as_text):
    runs = read_rle(rle(write_counts(counts) if as_text else counts), SIZE)
    assert (runs.lengths.tolist(), runs.completed) == (expected, completed)
    assert runs.compressed()["counts"] == write_counts(expected)


@pytest.mark.parametrize("counts", [[5.0, 2, 15, -2], [5, 2, -2, 15], [21], [19, 2], [2**32, 1], [2**64]])
def test_runs_outside_the_image_are_refused(counts):
    with pytest.raises(ValueError, match=r"expected (a number of pixels|4×5 = 20, those of the image)"):
        read_rle(rle(counts), SIZE)


@pytest.mark.parametrize("counts", [[5, 2, 2, 2, 2, 2, 3], [5], [0], write_counts([19])])
def test_a_short_last_run_is_refused(counts):
    with pytest.raises(ValueError, match=r"end with a run of background, expected 4×5 = 20 pixels; a last run is only"):
        read_rle(rle(counts), SIZE)


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ("éé", r"character 'é' at position 0, expected characters from '0' to 'o'"),
        ("5 2", r"character ' ' at position 1"),
        (b"5\xff", r"character 'ÿ' at position 1"),
        ("zzzzzzzz", r"character 'z' at position 0"),
        ("5o", r"ends inside a number"),
        ("ooooooooooo0", r"number of 12 characters, expected at most 7"),
        ([5, "2"], r"run 1 is '2', expected a whole number of pixels"),
        ([5, True], r"run 1 is True, expected a whole number of pixels"),
        ([5, 2.5], r"run 1 is 2.5, expected a whole number of pixels"),
        ([5, float("nan")], r"run 1 is nan"),
        ([[5, 2]], r"run 0 is \[5, 2\]"),
        (None, r"counts are None, expected a list of run lengths or a string"),
        ({"a": 1}, r"counts are \{'a': 1\}"),
    ],
)
def test_damaged_counts_are_refused_with_their_value(counts, message):
    with pytest.raises(ValueError, match=message):
        read_rle(rle(counts), SIZE)


@pytest.mark.parametrize(
    "size", [[4], [4, 5, 1], "45", None, [4, -5], [4, "5"], [True, 20], [4.5, 5], [float("inf"), 5]]
)
def test_wrong_sizes_are_refused(size):
    with pytest.raises(ValueError, match=r"size is .*, expected \[height, width\] in pixels"):
        read_rle({"size": size, "counts": [20]})


def test_the_size_is_that_of_the_image():
    assert read_rle({"size": [4.0, 5.0], "counts": RUNS}, SIZE).size == SIZE
    with pytest.raises(ValueError, match=r"size is \[5, 4\], expected \[4, 5\], the height and width of the image"):
        read_rle(rle(RUNS, (5, 4)), SIZE)
    with pytest.raises(ValueError, match=r"expected at most 1,000,000,000 pixels"):
        read_rle(rle([], (10**6, 10**6)))


@pytest.mark.parametrize("value", [None, [1, 2], "abc", 5, {"counts": [20]}, {"size": [4, 5]}])
def test_values_that_are_no_rle_are_refused(value):
    with pytest.raises(ValueError, match="expected an object with size and counts"):
        read_rle(value)
