"""Check of many compressed run lengths at once, for scoring: only irregular ones are read one by one.

Letters: N strings, m characters and n runs of all of them.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from frozenseg.structures.rle import CHARACTERS_PER_NUMBER, FIRST_CHARACTER, LAST_CHARACTER, MAX_RUN

CHARACTERS_AT_ONCE = 40_000  # the arrays of a chunk stay in the processor's cache


def irregular_rles(rles: Sequence[Any], sizes: Sequence[tuple[int, int] | None]) -> list[int]:
    """Return the indices of run lengths that are not as pycocotools writes them.

    The others are strings of the size of their image, with runs that are not empty (except the first) and end at the
    last pixel. For strings of 880 characters it takes 0.1 times as long as ``pycocotools.mask.decode``.

    Args:
        rles: N values, of any type.
        sizes: height and width of the image of each; None if they are not known, which is irregular.
    """
    irregular: list[int] = []
    chunk: list[int] = []
    characters = 0
    for index, (rle, size) in enumerate(zip(rles, sizes, strict=True)):
        if not _has_form(rle, size):
            irregular.append(index)
            continue
        chunk.append(index)
        characters += len(rle["counts"])
        if characters > CHARACTERS_AT_ONCE:
            irregular += _irregular_in(rles, sizes, chunk)
            chunk, characters = [], 0
    return sorted(irregular + _irregular_in(rles, sizes, chunk))


def _has_form(rle: Any, size: tuple[int, int] | None) -> bool:
    if type(rle) is not dict or size is None:
        return False
    counts = rle.get("counts")
    if type(counts) is not str or counts == "" or not counts.isascii():
        return False
    written = rle.get("size")
    return written == [*size] and all(type(side) is int for side in written)


def _irregular_in(rles: Sequence[Any], sizes: Sequence[Any], chunk: Sequence[int]) -> list[int]:
    """Return those of the indices in a chunk whose strings are irregular."""
    if not chunk:
        return []
    texts = [rles[index]["counts"] for index in chunk]
    codes = np.frombuffer("".join(texts).encode("ascii"), dtype=np.uint8)
    ends = np.cumsum([len(text) for text in texts]) - 1  # (N,) last character of each string
    if codes.min() < FIRST_CHARACTER or codes.max() > LAST_CHARACTER:
        return list(chunk)
    codes = codes - np.uint8(FIRST_CHARACTER)
    last = codes < 32  # (m,) last character of each number
    if not last[ends].all():
        return list(chunk)
    number_ends = np.flatnonzero(last)  # (n,)
    lengths = np.diff(number_ends, prepend=-1)
    if lengths.max() > CHARACTERS_PER_NUMBER:
        return list(chunk)
    numbers = _numbers(codes, number_ends, lengths)
    run_ends = np.searchsorted(number_ends, ends)  # (N,) last run of each string
    regular = _are_regular(numbers, run_ends, np.array([sizes[index] for index in chunk], dtype=np.int64).prod(axis=1))
    return [chunk[position] for position in np.flatnonzero(~regular).tolist()]


def _numbers(codes: np.ndarray, ends: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Join digits to signed numbers (n,); see :mod:`frozenseg.structures.rle`."""
    numbers: np.ndarray = (codes[ends] & 31).astype(np.int64)
    numbers -= (numbers & 16) << 1
    longer, distance = np.flatnonzero(lengths > 1), 1
    while longer.size:
        numbers[longer] = (numbers[longer] << 5) | (codes[ends[longer] - distance] & 31)
        distance += 1
        longer = longer[lengths[longer] > distance]
    return numbers


def _are_regular(numbers: np.ndarray, run_ends: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return (N,) True for strings whose runs are positive (the first may be empty) and have the number of pixels.

    Args:
        numbers: (n,) run lengths, from the fourth of a string on as differences.
        run_ends: (N,) index of the last run of each string.
        pixels: (N,) number of pixels of each image.
    """
    starts = np.concatenate([[0], run_ends[:-1] + 1])
    sizes = run_ends - starts + 1
    position = np.arange(len(numbers)) - np.repeat(starts, sizes)  # of each run in its string
    of_string = np.repeat(np.arange(len(starts)), sizes)
    runs = numbers.copy()
    for members in (np.flatnonzero(position % 2 == 1), np.flatnonzero((position % 2 == 0) & (position > 0))):
        sums = numbers[members].cumsum()
        string = of_string[members]
        first = np.flatnonzero(np.diff(string, prepend=-1))
        before = np.where(first > 0, sums[first - 1], 0)
        runs[members] = sums - np.repeat(before, np.diff(first, append=len(members)))
    valid = (runs > 0) & (runs <= MAX_RUN) | ((position == 0) & (runs == 0))
    regular: np.ndarray = np.logical_and.reduceat(valid, starts) & (np.add.reduceat(runs, starts) == pixels)
    return regular
