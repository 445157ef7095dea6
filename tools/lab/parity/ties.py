"""Ties: where a mask pixel lies within rounding of the threshold, the side that the reference took is taken.

The model asks of every mask pixel whether it is inside. Most pixels are far from the threshold; a few lie nearer to it
than two runs of the same program agree, and such a *tie* moves everything behind it. Where a query differs from the
reference's, its own tied pixels are tried on the other side; the side is kept if the query then agrees. A difference
that no tie explains stays, and is reported.

Letters: B images, Q queries, C classes.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import torch
from torch import Tensor

MOST_TIED_PIXELS = 8  # of one query; the nearest to the threshold are tried
EXPLAINED = 0.5  # a turned pixel explains a difference if at most this share of it is left
SIDE = 1e-3  # logit given to a turned pixel; only its sign acts
Place = tuple[int, int]  # image, query


class Turned(NamedTuple):
    """A query after some of its tied pixels have changed sides."""

    logits: Tensor  # (C + 1,)
    mask: Tensor  # (h, w)
    pixels: int  # that changed sides


def pooled_otherwise(
    classify: Callable[[Tensor], Tensor], mask: Tensor, golden: Tensor, *, difference: float, margin: float
) -> Turned | None:
    """Turn tied pixels of one mask until what is pooled under it has the golden class logits.

    Args:
        classify: masks (V, h, w) → class logits (V, C + 1) of what lies under each.
        mask: (h, w) logits.
        golden: (C + 1,) the reference's class logits.
        difference: how far the logits are from the golden ones as it is.
        margin: mask logits nearer to 0 are ties.

    Returns:
        None where ties do not explain most of the difference.
    """
    flat = mask.flatten()
    attempts = list(subsets(tied(flat, margin)[:MOST_TIED_PIXELS], MOST_TIED_PIXELS))
    if not attempts:
        return None
    variants = flat.repeat(len(attempts), 1)  # (V, h·w)
    for variant, places in zip(variants, attempts, strict=True):
        turn(variant, places)
    logits = classify(variants.view(-1, *mask.shape))
    best = int((logits - golden).abs().amax(dim=-1).argmin())
    if apart(logits[best], golden) > EXPLAINED * difference:
        return None
    return Turned(logits[best], variants[best].view_as(mask), len(attempts[best]))


def differing(logits: Tensor, golden: Tensor, tolerance: float) -> dict[Place, float]:
    """Return how far logits (B, Q, C + 1) are from the golden ones, of queries that are further than a tolerance."""
    difference = (logits - golden).abs().amax(dim=-1)  # (B, Q)
    places = (difference > tolerance).nonzero().tolist()
    return {(image, query): float(difference[image, query]) for image, query in places}


def apart(logits: Tensor, golden: Tensor) -> float:
    """Return the greatest difference."""
    return float((logits - golden).abs().max())


def tied(logits: Tensor, margin: float) -> list[int]:
    """Return the indices of logits (n,) within the margin of 0, the nearest first."""
    size = logits.abs()
    return size.argsort()[: int((size <= margin).sum())].tolist()


def subsets(items: Sequence[Any], largest: int) -> Iterator[tuple[Any, ...]]:
    """Yield all subsets but the empty one, small ones first."""
    for size in range(1, min(largest, len(items)) + 1):
        yield from combinations(items, size)


def turn(flat: Tensor, places: Sequence[int]) -> None:
    """Put pixels of a flat mask (n,) on the other side of the threshold, in place."""
    index = list(places)
    flat[index] = torch.where(flat[index] > 0, -SIDE, SIDE)
