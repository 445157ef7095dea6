"""Run lengths as the mask of an object: right ones are decoded as by a slow decoder, others are refused."""

from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

from frozenseg.data.class_maps import decode_object_mask
from frozenseg.errors import FrozenSegError
from tests.fuzz.exports import compress, run_lengths
from tests.fuzz.fuzz_format import fuzz
from tests.fuzz.mutations import odd_values

SIDES = st.integers(1, 12)
ODD_COUNTS = st.one_of(
    st.lists(st.integers(-3, 200), max_size=12),
    st.lists(st.one_of(st.integers(-(2**40), 2**40), st.floats(), st.none(), st.booleans()), max_size=5),
    st.text(max_size=12),
    st.text(st.characters(min_codepoint=48, max_codepoint=111), max_size=24),
    st.binary(max_size=12),
    odd_values(),
)


@st.composite
def run_length_cases(draw: DrawFn) -> dict[str, Any]:
    """Draw the run lengths of a mask, often damaged, and the size of its image."""
    height, width = draw(SIDES), draw(SIDES)
    bits = draw(st.lists(st.booleans(), min_size=height * width, max_size=height * width))
    lengths = run_lengths(np.array(bits).reshape(height, width))
    counts: Any = draw(st.sampled_from((lengths, compress(lengths), compress(lengths).encode())))
    size: Any = [height, width]
    damage = draw(st.sampled_from(("none", "none", "counts", "lengths", "text", "cut", "size")))
    if damage == "counts":
        counts = draw(ODD_COUNTS)
    elif damage == "lengths":
        lengths[draw(st.integers(0, len(lengths) - 1))] += draw(st.integers(-5, 5))
        counts = draw(st.sampled_from((lengths, compress(lengths))))
    elif damage == "text":
        text = compress(lengths)
        position = draw(st.integers(0, len(text) - 1))
        counts = text[:position] + draw(st.characters(min_codepoint=33, max_codepoint=126)) + text[position + 1 :]
    elif damage == "cut":
        counts = counts[: draw(st.integers(0, len(counts)))]
    elif damage == "size":
        size = draw(st.one_of(odd_values(), st.lists(st.integers(-5, 2**33), max_size=3), st.just([width, height])))
    return {"size": size, "counts": counts, "image": (height, width)}


def decode_slowly(counts: Any, pixels: int) -> list[int] | None:
    """Return the runs of a string or list, completed by a last run of zeros; None if they are invalid."""
    if isinstance(counts, bytes):
        counts = counts.decode("latin1")
    lengths = _decompress(counts) if isinstance(counts, str) else counts
    if not isinstance(lengths, list) or any(type(n) is not int and not isinstance(n, float) for n in lengths):
        return None
    if any(n < 0 or n != n // 1 for n in lengths):
        return None
    missing = pixels - sum(lengths)
    if missing < 0 or (missing > 0 and len(lengths) % 2):  # only a missing last run of zeros can be completed
        return None
    return [int(n) for n in lengths] + [int(missing)] * (missing > 0)


def _decompress(text: str) -> list[int] | None:
    lengths: list[int] = []
    value = shift = 0
    for character in text:
        digit = ord(character) - 48
        if not 0 <= digit < 64:
            return None
        value |= (digit & 31) << shift
        shift += 5
        if not digit & 32:
            if digit & 16:
                value -= 1 << shift
            lengths.append(value + lengths[-2] if len(lengths) > 2 else value)
            value = shift = 0
    return None if shift else lengths


@fuzz("run lengths", run_length_cases(), examples=300)
def test_run_lengths(case: dict[str, Any], folder: Path) -> None:
    del folder
    height, width = case["image"]
    runs = decode_slowly(case["counts"], height * width)
    right_size = isinstance(case["size"], list) and case["size"] == [height, width]
    try:
        item = {"segmentation": {"size": case["size"], "counts": case["counts"]}}
        mask = decode_object_mask(item, (height, width), "a.png")
    except FrozenSegError:
        undamaged = runs and right_size and sum(runs) == height * width and isinstance(case["counts"], (str, list))
        assert not (undamaged and _decoded_length(case["counts"]) == height * width), "valid run lengths are refused"
        raise
    assert right_size, "a size that is not the image's is accepted"
    assert runs is not None, "invalid run lengths are accepted"
    values = np.repeat(np.arange(len(runs)) % 2, runs).astype(bool)
    assert np.array_equal(mask, values.reshape(width, height).T)


def _decoded_length(counts: Any) -> int:
    """Return the sum of run lengths as they are written, 0 for values that are not whole numbers."""
    lengths = _decompress(counts) if isinstance(counts, str) else counts
    return sum(lengths) if lengths and all(type(n) is int for n in lengths) else 0
