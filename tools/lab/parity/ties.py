"""Ties of mask pixels: pixels within rounding of the threshold are assigned the reference's side.

The model compares every mask pixel with a threshold. Most pixels are far from it; a few are closer to it than the
rounding differences between two runs of one program, and such a tie changes all later stages. If a query differs from
the reference, its tied pixels are flipped; a flip is kept if the query then agrees. A difference without a tie that
explains it is reported.

Letters: B images, Q queries, C classes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

MAX_TIED_PIXELS = 8  # per query; those closest to the threshold are tried
EXPLAINED = 0.5  # a flip explains a difference if at most this share of it remains
FLIPPED_LOGIT = 1e-3  # magnitude of the logit of a flipped pixel; only its sign matters
QueryIndex = tuple[int, int]  # image, query


class FlippedQuery(NamedTuple):
    """A query with some tied pixels flipped."""

    logits: Tensor  # (C + 1,)
    mask: Tensor  # (h, w)
    pixels: int  # number of flipped pixels


def flip_pooling_ties(
    classify: Callable[[Tensor], Tensor], mask: Tensor, golden: Tensor, *, difference: float, margin: float
) -> FlippedQuery | None:
    """Flip tied pixels of a mask so that the class logits pooled under it agree with the golden ones.

    Args:
        classify: returns the class logits (V, C + 1) pooled under masks (V, h, w).
        mask: (h, w) logits.
        golden: (C + 1,) class logits of the reference.
        difference: largest difference of the class logits without flips.
        margin: mask logits with smaller magnitude are ties.

    Returns:
        The query with the best flips, or None if ties do not explain most of the difference.
    """
    flat = mask.flatten()
    attempts = list(subsets(tied_pixels(flat, margin)[:MAX_TIED_PIXELS], MAX_TIED_PIXELS))
    if not attempts:
        return None
    variants = flat.repeat(len(attempts), 1)  # (V, h·w)
    for variant, pixels in zip(variants, attempts, strict=True):
        flip(variant, pixels)
    logits = classify(variants.view(-1, *mask.shape))
    best = int((logits - golden).abs().amax(dim=-1).argmin())
    if largest_difference(logits[best], golden) > EXPLAINED * difference:
        return None
    return FlippedQuery(logits[best], variants[best].view_as(mask), len(attempts[best]))


def differing_queries(logits: Tensor, golden: Tensor, tolerance: float) -> dict[QueryIndex, float]:
    """Return the largest difference of class logits (B, Q, C + 1) for each query above the tolerance."""
    difference = (logits - golden).abs().amax(dim=-1)  # (B, Q)
    indices = (difference > tolerance).nonzero().tolist()
    return {(image, query): float(difference[image, query]) for image, query in indices}


def largest_difference(logits: Tensor, golden: Tensor) -> float:
    """Return the largest absolute difference."""
    return float((logits - golden).abs().max())


def tied_pixels(logits: Tensor, margin: float) -> list[int]:
    """Return the indices of logits (n,) within the margin of 0, the closest first."""
    magnitude = logits.abs()
    indices: list[int] = magnitude.argsort()[: int((magnitude <= margin).sum())].tolist()
    return indices


def subsets(items: Sequence[Any], largest: int) -> Iterator[tuple[Any, ...]]:
    """Yield all non-empty subsets, small ones first."""
    for size in range(1, min(largest, len(items)) + 1):
        yield from combinations(items, size)


def flip(flat: Tensor, pixels: Sequence[int]) -> None:
    """Move pixels of a flat mask (n,) to the other side of the threshold, in place."""
    index = list(pixels)
    flat[index] = torch.where(flat[index] > 0, -FLIPPED_LOGIT, FLIPPED_LOGIT)
